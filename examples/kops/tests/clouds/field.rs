//! Files that people really have, below `cases/`: each is read, planned and lowered on its own cloud, or refused with
//! what is wrong. What takes an account to tell (whether a subnet lies where it is said to) is for the tests of each
//! provider.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kops_aws::AwsBuilder;
use kops_aws::kinds::{
    AutoScalingGroup, Certificate, Ec2NatGateway, Ec2Subnet, HostedZoneAssociation, KeyPair, KmsKey,
    NetworkLoadBalancer, RecordSet, Route, RouteTable, RouteTableAssociation, VpcCidrBlock,
};
use kops_azure::AzureBuilder;
use kops_cluster::{
    CloudProvider, ClusterCloud, ClusterFiles, DnsType, Manifest, Mode, NewCluster, SshCredential, UserData,
    cluster_graph,
};
use kops_core::graph::TaskGraph;
use kops_core::resource::{LoadBalancer, Resource as _, Subnet};
use kops_gce::GceBuilder;
use kops_gce::kinds::{GceFirewall, ServiceAccount};

use crate::ground::{self, KEY};
use crate::offline::{self, Offline};

/// A case's folder, and its files in the order in which they are given to `create -f`.
struct Case(&'static str, &'static [&'static str], Fate);

/// What becomes of them; in each list are words of the messages.
enum Fate {
    /// A file is not read.
    Unread(&'static [&'static str]),
    /// All is read, but no plan is made.
    Refused(&'static [&'static str]),
    /// A plan is made, with all of these warnings, kinds of objects, and without managing any of those kinds.
    Planned { warned: &'static [&'static str], has: &'static [&'static str], lacks: &'static [&'static str] },
}

/// Planned, and nothing else to say of it.
const PLANNED: Fate = Fate::Planned { warned: &[], has: &[], lacks: &[] };

const fn with(has: &'static [&'static str], lacks: &'static [&'static str]) -> Fate {
    Fate::Planned { warned: &[], has, lacks }
}

const INPUT: &[&str] = &["input.yaml"];

const CASES: &[Case] = &[
    Case("01-autoscaler-tags", &["cluster.yaml", "group.yaml"], PLANNED),
    Case("02-subnet-names", &["cluster.yaml"], PLANNED),
    Case(
        "03-cluster-without-dot",
        &["cluster.yaml"],
        with(&[<NetworkLoadBalancer>::KIND], &[<RecordSet>::KIND]),
    ),
    Case(
        "04-unquoted-labels",
        &["cluster.yaml", "group.yaml"],
        Fate::Unread(&[
            "on is not text (put it in quotes: \"on\")",
            "1e3 is not text (put it in quotes: \"1e3\")",
            "0123 is not text (put it in quotes: \"0123\")",
            "1.10 is not text (put it in quotes: \"1.10\")",
        ]),
    ),
    Case(
        "05-broken-key",
        &["cluster.yaml"],
        Fate::Refused(&["SSHCredential/admin: ", "spec.publicKey", "the key is cut into pieces by blanks"]),
    ),
    Case("07-own-json", &["all.json"], PLANNED),
    Case("08-additional-objects", &["cluster.yaml"], PLANNED),
    Case(
        "09-key-twice",
        &["cluster.yaml", "group.yaml"],
        Fate::Unread(&["line 11, column 5", "key \"team\" is there twice"]),
    ),
    Case(
        "10-bare-address",
        &["cluster.yaml"],
        Fate::Unread(&["spec.sshAccess[0]", "write 198.51.100.7/32 for this single address"]),
    ),
    Case(
        "13-leading-zero",
        &["cluster.yaml"],
        Fate::Unread(&["spec.sshAccess[0]", "write 198.51.100.0/24, or 198.41.100.0/24"]),
    ),
    Case("16-subnet-in-another-zone", &["cluster.yaml"], with(&[<Ec2Subnet>::KIND], &[<Ec2Subnet>::KIND])),
    Case("21-provisioned-iops", &["../01-autoscaler-tags/cluster.yaml", "group.yaml"], PLANNED),
    Case("corpus-01-pinned-balancer-address", INPUT, with(&[<NetworkLoadBalancer>::KIND], &[])),
    Case("corpus-02-customer-managed-key", INPUT, with(&[<KmsKey>::KIND], &[])),
    Case("corpus-03-pod-addresses-of-the-network", INPUT, PLANNED),
    Case("corpus-04-first-load-balancer-of-an-account", INPUT, with(&[], &[<NetworkLoadBalancer>::KIND])),
    Case("corpus-05-private-zone-new-network", INPUT, with(&[<HostedZoneAssociation>::KIND], &[])),
    Case("corpus-06-subnet-in-a-further-block", INPUT, with(&[<VpcCidrBlock>::KIND], &[])),
    Case(
        "corpus-07-zone-of-another-name",
        INPUT,
        Fate::Refused(&["spec.dnsZone", "one.alpha.example.net", "is not in the zone beta.example.net"]),
    ),
    Case("corpus-08-services-in-the-network", INPUT, PLANNED),
    Case(
        "corpus-09-routes-by-others",
        INPUT,
        with(
            &[<Ec2Subnet>::KIND],
            &[<RouteTable>::KIND, <Route>::KIND, <RouteTableAssociation>::KIND, <Ec2NatGateway>::KIND],
        ),
    ),
    Case("corpus-10-lifetime-of-zero", INPUT, PLANNED),
    Case(
        "corpus-11-dns-beside-a-balancer",
        INPUT,
        with(&[<NetworkLoadBalancer>::KIND], &[<RecordSet>::KIND]),
    ),
    Case("corpus-12-googles-default-account", INPUT, with(&[], &[<ServiceAccount>::KIND])),
    Case("corpus-13-pods-by-google", INPUT, with(&[<ServiceAccount>::KIND], &[])),
    Case("corpus-14-backups-on-google", INPUT, with(&[<ServiceAccount>::KIND], &[])),
    Case("corpus-15-azure-in-the-words-of-v1alpha2", INPUT, PLANNED),
    Case("corpus-16-words-of-v1alpha3", INPUT, PLANNED),
    Case("corpus-17-machines-and-image-of-two-kinds", INPUT, PLANNED),
    Case("corpus-18-packets-of-pods", INPUT, with(&[<KeyPair>::KIND], &[])),
    Case("corpus-19-what-others-keep", INPUT, with(&[<Certificate>::KIND], &[])),
    Case("corpus-20-no-key-at-all", INPUT, with(&[], &[<KeyPair>::KIND])),
    Case(
        "corpus-21-roles-of-service-accounts",
        INPUT,
        Fate::Refused(&[
            "iam.serviceAccountExternalPermissions: it is not supported yet",
            "iam.useServiceAccountExternalPermissions: it is not supported yet",
            "enableAWSOIDCProvider: it is not supported yet",
        ]),
    ),
    Case("corpus-22-warm-pools-of-all-groups", INPUT, Fate::Refused(&["warmPool: it is not supported yet"])),
    Case("corpus-23-zone-of-an-existing-subnet", INPUT, with(&[<Ec2Subnet>::KIND], &[<Ec2Subnet>::KIND])),
    Case("corpus-26-registry-as-a-mirror", INPUT, PLANNED),
    Case(
        "corpus-27-machines-that-are-taken-away",
        INPUT,
        Fate::Planned { warned: &["nodeTerminationHandler"], has: &[], lacks: &[] },
    ),
    Case("corpus-28-one-balancer-for-all-zones", INPUT, with(&[<NetworkLoadBalancer>::KIND], &[])),
    Case("corpus-29-disks-from-snapshots", INPUT, PLANNED),
];

/// Read from a store and edited, not created: see below.
const IN_A_STORE: &str = "06-etcd-settings-of-old";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clouds/cases")
}

fn text(case: &str, file: &str) -> String {
    let file = folder().join(case).join(file);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn read(case: &str, names: &[&str]) -> Result<ClusterFiles, String> {
    let (mut objects, mut additional) = (Vec::new(), Vec::new());
    for name in names {
        let manifest = Manifest::read(&text(case, name), Mode::Strict).map_err(|error| error.to_string())?;
        additional.extend(manifest.additional.iter().cloned());
        if manifest.problems.has_errors() {
            return Err(manifest.problems.to_string());
        }
        objects.extend(manifest.documents.into_iter().map(|document| document.object));
    }
    let mut files = ClusterFiles::from_objects(objects).map_err(|problems| problems.to_string())?;
    for object in additional {
        files.put_additional(object);
    }
    Ok(files)
}

/// A key, as most stores have one; and the zone of an existing subnet, which the cloud would tell.
fn complete(files: &mut ClusterFiles) {
    if files.ssh_keys.is_empty() {
        let mut key = SshCredential::default();
        "admin".clone_into(&mut key.metadata.name);
        KEY.clone_into(&mut key.spec.public_key);
        files.ssh_keys.push(key);
    }
    let subnets = &mut files.cluster.spec.networking.subnets;
    let zone = subnets.iter().find_map(|subnet| subnet.zone.clone());
    for subnet in subnets.iter_mut().filter(|subnet| subnet.id.is_some() && subnet.zone.is_none()) {
        subnet.zone.clone_from(&zone);
    }
}

/// The cloud of a cluster, in the region of the cluster.
async fn cloud(files: &ClusterFiles) -> Arc<dyn ClusterCloud> {
    let spec = &files.cluster.spec;
    match spec.cloud_provider.as_ref().map(CloudProvider::name) {
        Some("aws") => {
            let zone = spec.networking.subnets.iter().find_map(|subnet| subnet.zone.as_deref()).unwrap();
            let region = zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
            let aws = AwsBuilder::new().region(region).static_credentials("AKIA", "secret", None);
            Arc::new(aws.build().await.unwrap())
        }
        Some("gce") => {
            let gce = GceBuilder::new().project("acme-lab").region("europe-west4").anonymous();
            Arc::new(gce.install_ring().build().await.unwrap())
        }
        Some("azure") => {
            let azure = AzureBuilder::new().subscription("11111111-2222-4333-8444-555555555555");
            Arc::new(azure.location("westeurope").token("token").build().await.unwrap())
        }
        other => panic!("no case is on {other:?}"),
    }
}

/// Which of the words a message does not have.
fn missing<'a>(message: &str, words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().filter(|word| !message.contains(word)).collect()
}

/// The kinds of all tasks, or only of managed ones.
fn kinds(graph: &TaskGraph, managed: bool) -> BTreeSet<&str> {
    graph.tasks().filter(|task| !managed || !task.is_shared()).map(|task| task.key.kind()).collect()
}

/// What differs from the case's fate.
async fn check(Case(name, names, fate): &Case) -> Result<(), String> {
    let all = |words: &[&'static str], message: &str| match missing(message, words) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(format!("{missing:?} is not in: {message}")),
    };
    let mut files = match (read(name, names), fate) {
        (Err(message), Fate::Unread(words)) => return all(words, &message),
        (Err(message), _) => return Err(format!("it is not read: {message}")),
        (Ok(_), Fate::Unread(_)) => return Err("it is read".to_owned()),
        (Ok(files), _) => files,
    };
    complete(&mut files);
    let cloud = cloud(&files).await;
    let planned = match (cluster_graph(&files, &*cloud), fate) {
        (Err(problems), Fate::Refused(words)) => return all(words, &problems.to_string()),
        (Err(problems), _) => return Err(format!("it is not planned: {problems}")),
        (Ok(_), Fate::Refused(_)) => return Err("it is planned".to_owned()),
        (Ok(planned), _) => planned,
    };
    let native = cloud.lower(&planned.graph, &planned.scope, &[]);
    let native = native.map_err(|error| format!("it is not lowered: {error}"))?;
    let Fate::Planned { warned, has, lacks } = fate else { return Ok(()) };
    let warnings: Vec<_> = planned.warnings.iter().map(ToString::to_string).collect();
    all(warned, &warnings.join("\n"))?;
    let (there, managed) = (kinds(native.graph(), false), kinds(native.graph(), true));
    match (has.iter().find(|kind| !there.contains(*kind)), lacks.iter().find(|kind| managed.contains(*kind)))
    {
        (None, None) => Ok(()),
        (Some(kind), _) => Err(format!("there is no {kind}")),
        (_, Some(kind)) => Err(format!("{kind} is made")),
    }
}

#[tokio::test]
async fn files_of_people_are_taken_or_refused_as_they_should_be() {
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(why) = Box::pin(check(case)).await {
            wrong.push(format!("{}: {why}", case.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_case_is_forgotten() {
    let folders = std::fs::read_dir(folder()).unwrap();
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let known: BTreeSet<String> =
        CASES.iter().map(|case| case.0).chain([IN_A_STORE]).map(str::to_owned).collect();
    assert_eq!(folders, known);
}

#[test]
fn settings_that_nothing_acts_on_are_read_from_a_store() {
    let manifest = Manifest::read(&text(IN_A_STORE, "config"), Mode::Lenient).unwrap();
    assert!(!manifest.problems.has_errors(), "{}", manifest.problems);
    let told = manifest.problems.to_string();
    assert_eq!(told.matches("nothing acts on enableEtcdTLS").count(), 1, "{told}");
    let again = manifest.documents[0].object.to_yaml().unwrap();
    assert_eq!(again.matches("enableEtcdTLS: true").count(), 2, "{again}");
}

#[test]
fn what_is_beside_a_new_cluster_in_its_file_is_kept_with_it() {
    let files = read("08-additional-objects", &["cluster.yaml"]).unwrap();
    let kept: Vec<_> = files.additional_objects.iter().map(|object| object.to_yaml().unwrap()).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept[0].contains("kind: Namespace") && kept[1].contains("kind: ConfigMap"), "{kept:?}");
}

/// Names that a cloud does not have in its objects' names are brought into its form.
#[tokio::test]
async fn names_of_subnets_may_have_dots_and_that_of_a_cluster_none_on_every_cloud() {
    for offline in offline::all().await.unwrap() {
        let options = |new: &mut NewCluster, _: &Offline| {
            "staging".clone_into(&mut new.name);
            new.dns = DnsType::None;
        };
        let with_dots = |files: &mut ClusterFiles, _: &Offline| {
            for (number, subnet) in files.cluster.spec.networking.subnets.iter_mut().enumerate() {
                let former = std::mem::replace(&mut subnet.name, format!("public.{number}"));
                for group in &mut files.instance_groups {
                    for place in group.spec.subnets.iter_mut().filter(|place| **place == former) {
                        place.clone_from(&subnet.name);
                    }
                }
            }
        };
        let files = ground::cluster(&offline, options, with_dots).unwrap();
        let planned = cluster_graph(&files, &*offline.cloud)
            .unwrap_or_else(|problems| panic!("{}: {problems}", offline.title));
        assert!(planned.graph.spec::<Subnet>("public.0.staging").is_ok(), "{}", offline.title);
        let native = offline.cloud.lower(&planned.graph, &planned.scope, &[]);
        native.unwrap_or_else(|error| panic!("{}: {error}", offline.title));
    }
}

/// Each cloud's own limit, of which it says nothing before machines are made.
#[tokio::test]
async fn user_data_that_a_cloud_does_not_take_is_refused_with_both_sizes() {
    let limits = [("AWS", "16384"), ("GCE", "262144"), ("OpenStack", "49149"), ("Azure", "65535")];
    let mut checked = 0;
    for offline in offline::all().await.unwrap() {
        let Some((_, limit)) = limits.iter().find(|(title, _)| *title == offline.title) else { continue };
        let long = |files: &mut ClusterFiles, _: &Offline| {
            let groups = &mut files.instance_groups;
            let nodes = groups.iter_mut().find(|group| group.name().starts_with("nodes")).unwrap();
            nodes.spec.additional_user_data = vec![UserData {
                name: "long.sh".to_owned(),
                r#type: "text/x-shellscript".to_owned(),
                content: format!("#!/bin/sh\n{}", "# again\n".repeat(37_500)),
                ..UserData::default()
            }];
        };
        let files = ground::cluster(&offline, |_, _| {}, long).unwrap();
        let planned = cluster_graph(&files, &*offline.cloud)
            .unwrap_or_else(|problems| panic!("{}: {problems}", offline.title));
        let error = offline.cloud.lower(&planned.graph, &planned.scope, &[]).unwrap_err().to_string();
        for told in ["InstanceGroup/nodes", " has 300", *limit, "additionalUserData"] {
            assert!(error.contains(told), "{}: {told}: {error}", offline.title);
        }
        checked += 1;
    }
    assert_eq!(checked, limits.len());
}

/// Machines of the cluster use the balancer by its own name, which resolves to an address in each zone.
#[tokio::test]
async fn a_balancer_that_machines_use_leads_to_all_zones() {
    let files = read("corpus-28-one-balancer-for-all-zones", INPUT).unwrap();
    let cloud = cloud(&files).await;
    let planned = cluster_graph(&files, &*cloud).unwrap_or_else(|problems| panic!("{problems}"));
    let balancer: LoadBalancer = planned.graph.spec("api.zones.example.net").unwrap();
    assert!(balancer.cross_zone);
    let native = cloud.lower(&planned.graph, &planned.scope, &[]).unwrap();
    let balancer: NetworkLoadBalancer = native.graph().spec("api.zones.example.net").unwrap();
    assert!(balancer.cross_zone && balancer.subnets.len() == 2, "{balancer:?}");
}

/// Cases that differ in what is made, not in which kinds; what roles may do in detail is for the tests of the provider.
#[tokio::test]
async fn what_cases_ask_for_is_in_what_is_made() {
    let attaches = "ec2:AttachNetworkInterface";
    let caches = "ecr:CreateRepository";
    let cases = [
        ("corpus-03-pod-addresses-of-the-network", Some(attaches)),
        ("corpus-08-services-in-the-network", Some(attaches)),
        ("corpus-10-lifetime-of-zero", None),
        ("corpus-26-registry-as-a-mirror", Some(caches)),
    ];
    for (case, allowed) in cases {
        let files = read(case, INPUT).unwrap();
        let cloud = cloud(&files).await;
        let planned = cluster_graph(&files, &*cloud).unwrap_or_else(|problems| panic!("{case}: {problems}"));
        let native = cloud.lower(&planned.graph, &planned.scope, &[]).unwrap();
        let made = serde_json::to_string(&**native.graph()).unwrap();
        for action in [attaches, caches] {
            assert_eq!(made.contains(action), allowed == Some(action), "{case}: {action}");
        }
        let groups = native.graph().specs::<AutoScalingGroup>().unwrap();
        assert!(groups.iter().all(|(_, group)| group.max_instance_lifetime == 0), "{case}");
    }
}

/// Rules by tags do not apply to addresses of pods, whether they are aliases of machines or routed to them.
#[tokio::test]
async fn pods_are_let_in_with_either_plugin_of_google() {
    for plugin in ["{gce: {}}", "{kubenet: {}}"] {
        let text = text("corpus-13-pods-by-google", "input.yaml").replace("{gce: {}}", plugin);
        let (objects, _) = Manifest::read(&text, Mode::Strict).unwrap().into_objects().unwrap();
        let files = ClusterFiles::from_objects(objects).unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = cloud(&files).await;
        let planned =
            cluster_graph(&files, &*cloud).unwrap_or_else(|problems| panic!("{plugin}: {problems}"));
        let native = cloud.lower(&planned.graph, &planned.scope, &[]).unwrap();
        let rules = native.graph().specs::<GceFirewall>().unwrap();
        let has_rule = rules.iter().any(|(_, rule)| rule.source_ranges.contains(&"100.96.0.0/11".into()));
        assert!(has_rule, "{plugin}: nothing admits the range of pods");
    }
}
