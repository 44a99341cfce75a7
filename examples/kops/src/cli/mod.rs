//! The command line: kOps' verbs, flags and aliases. [`commands`](crate::commands) implements them.

mod create;
mod delete;
mod edit;
mod get;
mod provider;
mod update;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use create::{
    Create, CreateCluster, CreateGroup, CreateWhat, GroupRole, Manifest, ManifestFormat,
};
pub(crate) use delete::{Delete, DeleteWhat};
pub(crate) use edit::{Changes, Edit, EditCluster, EditGroup};
pub(crate) use get::{Get, GetClusters, GetFormat, GetGroups, GetWhat};
pub(crate) use update::{PlanFormat, Update, UpdateCluster};

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
    /// Name of the cluster, if it is not an argument of the command.
    #[arg(long, global = true, env = "KOPS_CLUSTER_NAME")]
    pub(crate) name: Option<String>,
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
    /// Create a cluster, an instance group, or specifications from files.
    Create(Create),
    /// Replace specifications with those from files.
    Replace(Manifest),
    /// Delete a cluster, an instance group, or what files specify.
    Delete(Delete),
    /// Edit a specification, in an editor or field by field.
    #[command(subcommand)]
    Edit(Edit),
    /// Show clusters, instance groups and machines.
    Get(Get),
    /// Apply a specification to the cloud; without --yes, only show the plan.
    #[command(subcommand)]
    Update(Update),
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
    fn the_spellings_of_kops_are_understood() {
        for line in [
            "kops create cluster ha.example.com --zones a,b --master-count 3 --master-size x --master-zones a,b,c",
            "kops create cluster --name ha.example.com --cloud=aws --zones=a -y",
            "kops create -f a.yaml -f -",
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
            "kops version",
            "kops completion bash",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
