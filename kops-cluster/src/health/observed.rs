//! Observing a cluster.

use kops_node::status::Status;

use super::Health;
use super::assess::{assess, node_of};
use super::wait::WaitOptions;
use crate::kube::{Kube, KubeExt as _, Node, Pod, PodQuery};
use crate::model::{Names, scope_of};
use crate::registry::ClusterStore;
use crate::spec::ClusterFiles;
use kops_core::cloud::{Cloud, Context, Machine};
use kops_core::{Error, Result};

/// The state that a validation is based on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterView {
    /// The machines of the cluster.
    pub machines: Vec<ObservedMachine>,
    /// The response of the API, or why there is none.
    pub api: Result<ObservedApi>,
}

/// A machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ObservedMachine {
    /// The machine.
    pub machine: Machine,
    /// The name of its instance group in the specification; `None` if it is no longer specified.
    pub group: Option<String>,
    /// The status that it reports; only read for machines that are not nodes yet.
    pub status: Option<Status>,
}

/// The state of the Kubernetes API.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ObservedApi {
    /// All nodes.
    pub nodes: Vec<Node>,
    /// The pods of `kube-system`.
    pub pods: Vec<Pod>,
    /// The checks that the API server fails.
    pub failing_checks: Vec<String>,
}

/// Validates one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Validator<'a> {
    files: &'a ClusterFiles,
    store: &'a ClusterStore,
    cloud: &'a dyn Cloud,
    kube: &'a dyn Kube,
}

impl<'a> Validator<'a> {
    /// Validates a cluster against its specification, store, cloud and API.
    pub fn new(
        files: &'a ClusterFiles,
        store: &'a ClusterStore,
        cloud: &'a dyn Cloud,
        kube: &'a dyn Kube,
    ) -> Self {
        Self { files, store, cloud, kube }
    }

    /// Validates once.
    ///
    /// # Errors
    /// `Unsupported` if the cloud cannot list machines; `Unauthenticated` or `Denied` if the API denies
    /// access; any other error of the store or the cloud. If the API cannot be reached, that is a failure in
    /// the result instead.
    pub async fn validate(&self) -> Result<Health> {
        Ok(assess(self.files, &self.observe().await?))
    }

    /// Validates repeatedly until the cluster is healthy or the timeout expires; `told` receives every
    /// result, or the transient error instead of one. Returns the last result.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate); transient ones only if they last until the timeout.
    pub async fn wait(
        &self,
        wait: WaitOptions,
        mut told: impl FnMut(&Result<Health>) + Send,
    ) -> Result<Health> {
        let clock = self.cloud.clock();
        let mut progress = wait.begin(clock.elapsed());
        loop {
            let result = self.validate().await;
            let healthy = match &result {
                Ok(health) => health.is_healthy(),
                Err(error) if error.kind().is_transient() => false,
                Err(_) => return result,
            };
            told(&result);
            match progress.next(healthy, clock.elapsed()) {
                Some(pause) => clock.sleep(pause).await,
                None => return result,
            }
        }
    }

    /// Observes everything: one list of machines, three calls to the API, and the status of machines that are
    /// not nodes.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub async fn observe(&self) -> Result<ClusterView> {
        let machines = self.cloud.machines().ok_or_else(|| {
            Error::unsupported(format!("listing machines is not supported on {}", self.cloud.name()))
                .with_hint("use the cloud's own tools")
        })?;
        let (scope, context) = (scope_of(&self.files.cluster), Context::default());
        let (machines, api) = futures_util::join!(machines.members(&scope, &context), self.api());
        let (mut machines, api) = (grouped(self.files, machines?), api?);
        let absent = |it: &ObservedMachine| {
            api.as_ref().map_or(true, |api| node_of(&it.machine, &api.nodes).is_none())
        };
        let silent: Vec<usize> = (0..machines.len()).filter(|at| absent(&machines[*at])).collect();
        let asked: Vec<(&str, &Machine)> = silent
            .iter()
            .map(|at| (machines[*at].group.as_deref().unwrap_or_default(), &machines[*at].machine))
            .collect();
        let statuses = self.store.machine_statuses(&asked).await?;
        for (at, status) in silent.into_iter().zip(statuses) {
            machines[at].status = status;
        }
        Ok(ClusterView { machines, api })
    }

    /// Queries the API. A denied request says nothing about its health.
    async fn api(&self) -> Result<Result<ObservedApi>> {
        let system = PodQuery::all().in_namespace("kube-system");
        let told =
            futures_util::try_join!(self.kube.nodes(), self.kube.pods(&system), self.kube.failing_checks());
        match told {
            Ok((nodes, pods, failing_checks)) => Ok(Ok(ObservedApi { nodes, pods, failing_checks })),
            Err(error) if error.kind().is_transient() => Ok(Err(error)),
            Err(error) => Err(error),
        }
    }
}

/// The machines with the names of their groups, in order.
fn grouped(files: &ClusterFiles, machines: Vec<Machine>) -> Vec<ObservedMachine> {
    let names = Names::of(files.cluster.name());
    let group = |machine: &Machine| {
        let found = files.instance_groups.iter().find(|it| names.group(it) == machine.group);
        found.map(|it| it.name().to_owned())
    };
    let mut machines: Vec<_> = machines
        .into_iter()
        .map(|machine| ObservedMachine { group: group(&machine), machine, status: None })
        .collect();
    machines.sort_by(|a, b| (&a.group, &a.machine.id).cmp(&(&b.group, &b.machine.id)));
    machines
}
