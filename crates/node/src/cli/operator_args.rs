//! Commands for whoever runs nodes.

use std::path::PathBuf;

use clap::Args;

use super::values::NodeUrl;

/// Which node is to tell of its cluster, and how.
#[derive(Debug, Args)]
#[command(after_help = STATUS_NOTES)]
pub struct StatusCommand {
    /// Where a node of the cluster serves operators (its --admin, or with --public-status its --http); any will do
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10001")]
    pub node: NodeUrl,

    /// Print the node's answer as it is: JSON
    #[arg(long)]
    pub json: bool,
}

const STATUS_NOTES: &str = "\
OWNED: sessions that live on the node. ATTACHED: WebSockets that landed on it, whoever owns their sessions. MOVING: \
sessions that live on it, belong to another node and are being handed off. What follows counts since the node started. A \
node that does not answer the one that is asked has no numbers.

Exit codes: 0 the node answered, 1 it did not, 2 a flag is wrong.";

/// Which node is to leave.
#[derive(Debug, Args)]
#[command(after_help = LEAVE_NOTES)]
pub struct LeaveCommand {
    /// Where the node serves operators: its --admin
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10001")]
    pub node: NodeUrl,

    /// A file with the cluster's secret, of which the first line is used. Unless given, the environment variable
    /// HITHER_SECRET is the secret; a cluster without one hears only its own machine
    #[arg(long = "secret-file", value_name = "PATH")]
    pub secret_files: Vec<PathBuf>,
}

const LEAVE_NOTES: &str = "\
Does not wait until the node has left: its process ends then. Exit codes: 0 the node leaves, 1 it could not be asked or \
refused, 2 a flag is wrong.

Example: hither leave --node http://10.0.0.1:10001 --secret-file /etc/hither/secret";
