//! The command line: kOps' verbs, flags and aliases. [`commands`](crate::commands) implements them.

mod create;
mod delete;
mod edit;
mod export;
mod get;
mod keys;
mod kops;
mod machines;
mod provider;
mod update;
mod validate;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::output;

pub(crate) use create::{
    Create, CreateCluster, CreateGroup, CreateWhat, GroupRole, Manifest, ManifestFormat,
};
pub(crate) use delete::{Delete, DeleteWhat};
pub(crate) use edit::{Changes, Edit, EditCluster, EditGroup};
pub(crate) use export::{AccessFlags, Export, ExportKubeconfig};
pub(crate) use get::{Get, GetClusters, GetFormat, GetGroups, GetKeypairs, GetSecrets, GetWhat};
pub(crate) use keys::{CreateKeypair, CreateSecret, SecretFile};
pub(crate) use machines::MachineFlags;
pub(crate) use update::{PlanFormat, Update, UpdateCluster};
pub(crate) use validate::{Validate, ValidateCluster};

/// Manage Kubernetes clusters: specify, plan, apply, change and delete them.
#[derive(Debug, Parser)]
#[command(name = "kops", version, disable_help_subcommand = true, infer_long_args = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The state store and the cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Location of the state store, for example file:///directory or s3://bucket/prefix.
    #[arg(long, global = true, env = "KOPS_STATE_STORE", value_name = "URL")]
    pub(crate) state: Option<String>,
    /// Name of the cluster, if it is not an argument of the command; by default that in KOPS_CLUSTER_NAME.
    #[arg(long, global = true)]
    pub(crate) name: Option<String>,
    /// Verbosity of kOps' log, which this program does not have.
    #[arg(short, long, global = true, hide = true, value_name = "LEVEL")]
    pub(crate) v: Option<String>,
}

/// Confirmation.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Consent {
    /// Apply the changes; by default they are only shown.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Seconds to wait while another process holds the cluster's lock.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    lock_timeout: u64,
}

impl Consent {
    /// How long to wait while another process holds the cluster's lock.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create a cluster, an instance group, a key pair, a secret, or specifications from files.
    Create(Create),
    /// Replace specifications with those from files.
    Replace(Manifest),
    /// Delete a cluster, an instance group, or what files specify.
    Delete(Delete),
    /// Edit a specification, in an editor or field by field.
    #[command(subcommand)]
    Edit(Edit),
    /// Show clusters, instance groups, machines, key pairs and secrets.
    Get(Get),
    /// Apply a specification to the cloud; without --yes, only show the plan.
    #[command(subcommand)]
    Update(Update),
    /// Check whether a cluster is healthy.
    #[command(subcommand)]
    Validate(Validate),
    /// Write how to reach a cluster.
    #[command(subcommand)]
    Export(Export),
    /// Print the version.
    Version,
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// Parses the arguments. Invalid ones exit with code 1, because 2 means pending changes.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        if let Some(refusal) = kops::refusal(&error) {
            output::error(&refusal);
            return ExitCode::FAILURE;
        }
        // If standard error is closed, nothing more can be done.
        let _ = error.print();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    })
}

/// The completion script for a shell.
pub(crate) fn completion(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kops", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_kops_has_and_this_program_has_not_is_refused_with_what_to_do_instead() {
        for (line, expected) in [
            (
                "kops update cluster x --phase network",
                "--phase is not supported: a plan is of the whole cluster",
            ),
            ("kops update cluster x --out=dir", "--out is not supported: nothing is written to files"),
            ("kops delete cluster x --count 3 --yes", "--count is not supported"),
            ("kops set cluster spec.a=b", "kops set is not supported: it is part of another verb"),
            (
                "kops get clusters --config a.yaml",
                "--config is not supported: there is no configuration file",
            ),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            let refusal = kops::refusal(&error).unwrap_or_else(|| panic!("{line}: {error}"));
            assert!(refusal.message().starts_with(expected) && refusal.hint().is_some(), "{refusal}");
        }
        // A misspelling is one.
        let error = Cli::try_parse_from(["kops", "update", "cluster", "--phaze"]).unwrap_err();
        assert!(kops::refusal(&error).is_none());
        for line in [
            "kops create cluster x --target terraform",
            "kops create cluster x --ipv6",
            "kops create cluster x --container-runtime docker",
            "kops create cluster x --authorization AlwaysAllow",
            "kops create cluster x --instance-manager karpenter",
            "kops update cluster x --target terraform",
            "kops update cluster x --create-kube-config",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            let flag = line.split(' ').find(|word| word.starts_with("--")).unwrap();
            assert!(error.contains(flag) && error.contains("invalid value"), "{line}: {error}");
        }
    }

    #[test]
    fn the_spellings_of_kops_are_understood() {
        for line in [
            "kops create cluster ha.example.com --zones a,b --master-count 3 --master-size x --master-zones a,b,c",
            "kops create cluster --name ha.example.com --cloud=aws --zones=a -y",
            "kops create -f a.yaml -f -",
            "kops create -f a.yaml,b.yaml",
            "kops create cluster x --zones=a --target direct --ipv6=false --container-runtime containerd -v 4",
            "kops create cluster x --zones=a --authorization RBAC --instance-manager cloudgroups --v=10",
            "kops create cluster x --zones=a --egress nat-0 --discovery-store s3://b --kubernetes-feature-gates -Some",
            "kops create cluster x --zones=a --kubernetes-feature-gates=A,-B --associate-public-ip=false",
            "kops create cluster x --zones=a --api-public-name n --api-ssl-certificate arn:x --disable-subnet-tags",
            "kops create cluster x --zones=a --master-tenancy dedicated --node-tenancy default --bastion-image i",
            "kops create cluster x --zones=a --os-octavia --os-octavia-provider ovn --os-ext-subnet s --os-network n",
            "kops create cluster x --zones=a --os-kubelet-ignore-az=true --os-lb-floating-subnet s --override a=b",
            "kops create cluster x --zones=a --azure-route-table-name r --master-public-name n",
            "kops update cluster x --target direct --create-kube-config=false",
            "kops delete cluster x --unregister --yes",
            "kops create ig nodes --role node --subnet a,b --edit=false",
            "kops replace -f a.yaml --force",
            "kops delete ig nodes --name x -y",
            "kops delete -f a.yaml --yes",
            "kops edit ig nodes --name x --set spec.maxSize=3 --unset spec.image",
            "kops edit cluster x --set=a=b",
            "kops get clusters",
            "kops get cluster x -o yaml",
            "kops get ig --name x -o json",
            "kops get instances",
            "kops get all",
            "kops update cluster x --yes --prune -o json --detailed-exitcode",
            "kops delete cluster x --yes",
            "kops create keypair kubernetes-ca --cert ca.crt --key ca.key --primary --name x",
            "kops create secret encryptionconfig -f config.yaml --force --name x",
            "kops get keypairs kubernetes-ca service-account --distrusted -o json",
            "kops get secrets",
            "kops export kubeconfig x --admin",
            "kops export kubeconfig --admin=1h30m --internal --kubeconfig config --name x",
            "kops export kubecfg --all",
            "kops update cluster x --yes --admin=87600h",
            "kops validate cluster x --wait 15m --count 2 --interval 30s -o json",
            "kops version",
            "kops completion bash",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
