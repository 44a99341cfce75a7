//! Finds missing permissions before anything is created.
//!
//! IAM's policy simulator is asked whether it would allow what the [least-privilege policy](crate::policy)
//! allows: statement by statement, with the statement's resources and the tags that its conditions require.
//! So a policy that is as narrow as ours passes, and so does any wider one.
//!
//! Known weaknesses, all of the simulator ([limits]): it does not evaluate resource policies (a bucket's),
//! session policies of an assumed role, or condition keys that are not passed to it; and a policy that is
//! narrower than ours in another way, for example by names, is reported as lacking what it allows under those
//! names. Without permission to simulate, EC2 dry runs check reading and creating, as far as a call can be
//! written without naming an object; the other services have no dry runs.
//!
//! [limits]: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{NewDhcpConfiguration, ResourceType, TagSpecification};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use futures_util::future::try_join_all;
use kops_core::cloud::{Actions, Context, MissingPermission, Permissions, Scope};
use kops_core::graph::{Lifecycle, TaskGraph};
use kops_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::actions;
use crate::cloud::Aws;
use crate::policy::{self, Condition, Place, Statement};
use crate::tags;

/// The number of actions in one request. A page of the simulator's response holds 100 results by default.
const BATCH: usize = 50;

#[async_trait]
impl Permissions for Aws {
    async fn missing(
        &self,
        graph: &TaskGraph,
        scope: &Scope,
        cx: &Context,
    ) -> Result<Vec<MissingPermission>> {
        let adopts = graph.tasks().any(|task| matches!(task.lifecycle, Lifecycle::Adopted { .. }));
        let mut left_out = vec![actions::CHECK, actions::MACHINES];
        let mut always = vec![actions::STATE_STORE];
        if adopts { &mut always } else { &mut left_out }.push(actions::ADOPTION);
        let needed = Actions::needed(actions::ALL, graph, &always, &left_out);
        let caller = self.identity_in(cx).await?;
        let account = caller.split(':').nth(4).unwrap_or_default();
        let place = Place::new(self.region(), account);
        let mut statements = policy::statements(scope.name(), &place);
        if adopts {
            statements.push(policy::adopting(scope.name(), &place));
        }
        let questions: Vec<_> = statements.iter().flat_map(|it| questions(it, &needed)).collect();
        let simulated = match self.principal(&caller, cx).await {
            Principal::Root => return Ok(Vec::new()),
            Principal::Entity(principal) => {
                try_join_all(questions.iter().map(|question| self.simulate(&principal, question, cx))).await
            }
            Principal::Federated => {
                Err(Error::new(ErrorKind::Denied, "a federated user cannot be simulated"))
            }
        };
        let denied = match simulated {
            Ok(denied) => denied.into_iter().flatten().collect(),
            Err(error) if error.kind() == ErrorKind::Denied => {
                self.dry_runs(&needed, cx, scope.name()).await?
            }
            Err(error) => return Err(error),
        };
        Ok(denied
            .into_iter()
            .filter_map(|action| Some(MissingPermission::new(action, needed.get(action)?.iter().copied())))
            .collect())
    }

    fn least(&self, scope: &Scope) -> Value {
        policy::document(scope.name(), &Place::new(self.region(), "*"))
    }

    fn adopting(&self, scope: &Scope) -> Option<Value> {
        Some(policy::adoption_document(scope.name(), &Place::new(self.region(), "*")))
    }
}

type Needed = BTreeMap<&'static str, Vec<&'static str>>;

/// The checks for a statement: the needed ones of its actions, by the resources they apply to.
fn questions<'a>(statement: &'a Statement, needed: &Needed) -> Vec<Question<'a>> {
    let mut by_resources: BTreeMap<&[String], Vec<&'static str>> = BTreeMap::new();
    for (action, resources) in statement.grants.iter().filter(|(action, _)| needed.contains_key(action)) {
        by_resources.entry(resources).or_default().push(action);
    }
    let conditions = &statement.conditions;
    by_resources
        .into_iter()
        .flat_map(|(resources, actions)| {
            let batches: Vec<_> = actions.chunks(BATCH).map(<[_]>::to_vec).collect();
            batches.into_iter().map(move |actions| Question { actions, resources, conditions })
        })
        .collect()
}

/// Actions to check in one request.
struct Question<'a> {
    actions: Vec<&'static str>,
    resources: &'a [String],
    conditions: &'a [Condition],
}

/// The principal whose policies apply to the caller.
enum Principal {
    /// The account's root user, who may do anything.
    Root,
    /// A user or role.
    Entity(String),
    /// A federated user, whose policies cannot be simulated.
    Federated,
}

impl Aws {
    async fn principal(&self, caller: &str, cx: &Context) -> Principal {
        // arn:partition:service::account:resource
        let parts: Vec<_> = caller.splitn(6, ':').collect();
        let [_, partition, _, _, account, resource] = parts[..] else { return Principal::Federated };
        match resource.split('/').collect::<Vec<_>>()[..] {
            ["root"] => Principal::Root,
            ["user", ..] => Principal::Entity(caller.to_owned()),
            ["assumed-role", role, _] => {
                // The caller's name lacks the role's path, which only IAM knows.
                let iam = &self.clients().iam;
                let found =
                    self.clients().call(cx, "iam:GetRole", iam.get_role().role_name(role).send()).await;
                let arn = found.ok().and_then(|found| found.role).map(|role| role.arn);
                Principal::Entity(
                    arn.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:role/{role}")),
                )
            }
            _ => Principal::Federated,
        }
    }

    /// The actions that the simulator would deny.
    async fn simulate(
        &self,
        principal: &str,
        question: &Question<'_>,
        cx: &Context,
    ) -> Result<Vec<&'static str>> {
        let mut request = self
            .clients()
            .iam
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(question.actions.iter().map(|&action| action.to_owned()).collect()))
            .set_resource_arns(Some(question.resources.to_vec()));
        for condition in question.conditions {
            let Some(sample) = condition.sample() else { continue };
            let entry = ContextEntry::builder()
                .context_key_name(&condition.key)
                .context_key_values(sample)
                .context_key_type(ContextKeyTypeEnum::String);
            request = request.context_entries(entry.build());
        }
        let mut denied = Vec::new();
        let mut marker = None;
        loop {
            let page = request.clone().set_marker(marker).send();
            let page = self.clients().call(cx, "iam:SimulatePrincipalPolicy", page).await?;
            for result in page.evaluation_results() {
                if *result.eval_decision() != PolicyEvaluationDecisionType::Allowed {
                    let name = result.eval_action_name();
                    denied.extend(question.actions.iter().find(|action| **action == name));
                }
            }
            marker = page.marker;
            if !page.is_truncated || marker.is_none() {
                return Ok(denied);
            }
        }
    }

    /// The needed actions that an EC2 dry run already denies.
    async fn dry_runs(&self, needed: &Needed, cx: &Context, cluster: &str) -> Result<BTreeSet<&'static str>> {
        let ec2 = &self.clients().ec2;
        let tags =
            |kind| TagSpecification::builder().resource_type(kind).tags(tags::cluster(cluster)).build();
        let zone = format!("{}a", self.region());
        let domain = NewDhcpConfiguration::builder().key("domain-name").values("example.com").build();
        let denied = Mutex::new(BTreeSet::new());
        // Each call fails: with `DryRunOperation` if it would have been carried out.
        macro_rules! dry_runs {
            ($($action:literal: $request:expr),* $(,)?) => {
                tokio::try_join!($(async {
                    if !needed.contains_key($action) {
                        return Ok(());
                    }
                    let request = async {
                        match $request.dry_run(true).send().await {
                            Err(error) if error.code() == Some("DryRunOperation") => Ok(()),
                            answer => answer.map(drop),
                        }
                    };
                    match self.clients().call(cx, $action, request).await {
                        Err(error) if error.kind() == ErrorKind::Denied => {
                            denied.lock().unwrap_or_else(PoisonError::into_inner).insert($action);
                            Ok(())
                        }
                        answer => answer,
                    }
                }),*)?
            };
        }
        dry_runs! {
            "ec2:DescribeAddresses": ec2.describe_addresses(),
            "ec2:DescribeDhcpOptions": ec2.describe_dhcp_options(),
            "ec2:DescribeImages": ec2.describe_images().owners("self"),
            "ec2:DescribeInternetGateways": ec2.describe_internet_gateways(),
            "ec2:DescribeKeyPairs": ec2.describe_key_pairs(),
            "ec2:DescribeLaunchTemplates": ec2.describe_launch_templates(),
            "ec2:DescribeNatGateways": ec2.describe_nat_gateways(),
            "ec2:DescribeRouteTables": ec2.describe_route_tables(),
            "ec2:DescribeSecurityGroupRules": ec2.describe_security_group_rules(),
            "ec2:DescribeSecurityGroups": ec2.describe_security_groups(),
            "ec2:DescribeSubnets": ec2.describe_subnets(),
            "ec2:DescribeVolumes": ec2.describe_volumes(),
            "ec2:DescribeVpcs": ec2.describe_vpcs(),
            "ec2:AllocateAddress": ec2.allocate_address().tag_specifications(tags(ResourceType::ElasticIp)),
            "ec2:CreateDhcpOptions": ec2
                .create_dhcp_options()
                .dhcp_configurations(domain.clone())
                .tag_specifications(tags(ResourceType::DhcpOptions)),
            "ec2:CreateInternetGateway": ec2
                .create_internet_gateway()
                .tag_specifications(tags(ResourceType::InternetGateway)),
            "ec2:CreateVolume": ec2
                .create_volume()
                .availability_zone(&zone)
                .size(1)
                .tag_specifications(tags(ResourceType::Volume)),
            "ec2:CreateVpc": ec2
                .create_vpc()
                .cidr_block("10.0.0.0/16")
                .tag_specifications(tags(ResourceType::Vpc)),
        };
        Ok(denied.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}
