//! What machines run.

use clap::Args;

#[derive(Clone, Debug, Args)]
pub(crate) struct MachineFlags {
    /// The program that makes machines join the cluster (kops-node, built for Linux): a file, or a URL with
    /// its hash (https://…#sha256=…). Repeat it for further architectures. By default the one beside this
    /// program.
    #[arg(
        long,
        env = "KOPS_NODE_PROGRAM",
        hide_env_values = true,
        value_name = "FILE|URL",
        value_delimiter = ',',
        help_heading = "Machines"
    )]
    pub(crate) node_program: Vec<String>,
}
