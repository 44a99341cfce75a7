//! Commands and flags that kOps has but this program does not: they are rejected with the reason and what to
//! do instead, not as misspellings.

use clap::error::{ContextKind, ContextValue, ErrorKind as Clap};
use kops_core::{Error, ErrorKind};

/// Flags: the name, why it is not supported, what to do instead.
const FLAGS: &[(&str, &str, &str)] = &[
    (
        "add",
        "addons are not read from paths",
        "put their objects into a file behind the cluster, for `kops create -f`",
    ),
    ("add_dir_header", "there are no log files", "leave it out"),
    (
        "admin",
        "credentials are not exported by this command",
        "run `kops export kubeconfig --admin` afterwards",
    ),
    ("allow-kops-downgrade", "the version of the program that applied last does not matter", "leave it out"),
    ("alsologtostderr", "there are no log files", "leave it out"),
    (
        "api-server-count",
        "groups of role APIServer are not supported yet",
        "leave it out; add control planes instead",
    ),
    ("cloudonly", "machines are always listed from the cloud", "leave it out"),
    (
        "config",
        "there is no configuration file",
        "use --state and --name, or KOPS_STATE_STORE and KOPS_CLUSTER_NAME",
    ),
    ("config-base", "the configuration is in the state store", "use --set spec.configBase=…"),
    ("count", "a deletion goes on while objects go, and ends when none can", "leave it out"),
    ("external", "only clusters of a state store are deleted", "use the cloud's own tools"),
    ("ignore-kubelet-version-skew", "machines get the version of their specification", "leave it out"),
    (
        "instance-group",
        "a plan is of the whole cluster",
        "leave it out; groups without changes stay as they are",
    ),
    (
        "instance-group-roles",
        "a plan is of the whole cluster",
        "leave it out; groups without changes stay as they are",
    ),
    (
        "internal",
        "no kubeconfig is written by this command",
        "run `kops export kubeconfig --internal` afterwards",
    ),
    ("interval", "the cloud is asked as often as its limits allow", "leave it out"),
    (
        "lifecycle-overrides",
        "the lifecycle of objects follows from the specification",
        "name existing objects by their ids in the specification",
    ),
    ("log_backtrace_at", "there is no such log", "leave it out"),
    ("log_dir", "there are no log files", "redirect standard error instead"),
    ("log_file", "there are no log files", "redirect standard error instead"),
    ("log_file_max_size", "there are no log files", "leave it out"),
    ("logtostderr", "messages always go to standard error", "leave it out"),
    ("model", "there is one model for each cloud", "leave it out"),
    ("one_output", "there are no log files", "leave it out"),
    ("out", "nothing is written to files", "leave it out; `-o json` prints the plan"),
    ("phase", "a plan is of the whole cluster", "leave it out; order and dependencies are kept without it"),
    ("region", "the region follows from the cluster's zones", "leave it out"),
    ("skip_headers", "there are no log files", "leave it out"),
    ("skip_log_headers", "there are no log files", "leave it out"),
    (
        "spotinst-cloud-product",
        "Spot is not supported",
        "use --set instancegroup.spec.maxPrice=… for spot machines",
    ),
    (
        "spotinst-orientation",
        "Spot is not supported",
        "use --set instancegroup.spec.maxPrice=… for spot machines",
    ),
    (
        "spotinst-product",
        "Spot is not supported",
        "use --set instancegroup.spec.maxPrice=… for spot machines",
    ),
    ("stderrthreshold", "messages always go to standard error", "leave it out"),
    ("user", "no kubeconfig is written by this command", "run `kops export kubeconfig --user` afterwards"),
    ("vmodule", "there is no such log", "leave it out"),
    ("wait", "this command waits for nothing but what it starts", "leave it out; use `timeout` to bound it"),
];

/// Verbs: the name, why it is not supported, what to do instead.
const VERBS: &[(&str, &str, &str)] = &[
    ("distrust", "generations of keys are not managed yet", "keep the keys as they are"),
    (
        "import",
        "clusters that are not in a state store cannot be taken over",
        "create a new one, and move to it",
    ),
    ("promote", "generations of keys are not managed yet", "keep the keys as they are"),
    ("reconcile", "updates and rolling updates are commands of their own", "use `kops update cluster`"),
    (
        "rolling-update",
        "machines are not replaced one by one yet",
        "use `kops update cluster`, and replace machines by hand",
    ),
    ("rotate", "generations of keys are not managed yet", "keep the keys as they are"),
    (
        "set",
        "it is part of another verb",
        "use `kops edit cluster --set PATH=VALUE` or `kops edit ig NAME --set PATH=VALUE`",
    ),
    (
        "toolbox",
        "there are no such tools",
        "use `kops get`, `kops update cluster -o json`, and the cloud's own tools",
    ),
    ("trust", "generations of keys are not managed yet", "keep the keys as they are"),
    (
        "unset",
        "it is part of another verb",
        "use `kops edit cluster --unset PATH` or `kops edit ig NAME --unset PATH`",
    ),
    ("upgrade", "channels are not read", "use `kops edit cluster --set spec.kubernetesVersion=…`"),
];

/// The error for a command or flag of kOps, if the arguments contain one.
pub(super) fn refusal(error: &clap::Error) -> Option<Error> {
    let context = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (table, name, shown) = match error.kind() {
        Clap::UnknownArgument => {
            let flag = context(ContextKind::InvalidArg)?;
            let name = flag.trim_start_matches('-').split('=').next().unwrap_or_default();
            (FLAGS, name, format!("--{name}"))
        }
        Clap::InvalidSubcommand => {
            let verb = context(ContextKind::InvalidSubcommand)?;
            (VERBS, verb, format!("kops {verb}"))
        }
        _ => return None,
    };
    let (_, why, instead) = table.iter().find(|(known, _, _)| *known == name)?;
    Some(Error::new(ErrorKind::Unsupported, format!("{shown} is not supported: {why}")).with_hint(*instead))
}

/// A parser for a flag of which one value is what is always done, and all others are not supported.
macro_rules! only {
    ($name:ident: $($good:literal)|+, $why:literal) => {
        pub(super) fn $name(text: &str) -> Result<String, String> {
            if [$($good),+].iter().any(|good| good.eq_ignore_ascii_case(text)) {
                Ok(text.to_owned())
            } else {
                Err($why.to_owned())
            }
        }
    };
}

only!(target: "direct" | "", "plans are applied directly; leave it out, and use `-o json` for other programs");
only!(runtime: "containerd" | "", "containerd is the only runtime of Kubernetes that is supported; leave it out");
only!(authorization: "RBAC" | "", "everybody would be allowed everything; use RBAC");
only!(instance_manager: "cloudgroups" | "", "Karpenter is not supported yet; use cloudgroups");
only!(no_ipv6: "false", "IPv6 clusters are not supported yet; leave it out");
only!(no_kubeconfig: "false", "no kubeconfig is written by this command; run `kops export kubeconfig` afterwards");
