//! The command line of `hither`.

mod complaint;
mod node_args;
mod values;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::complaint::MISUSE;
pub use self::{
    complaint::parse,
    node_args::{ClusterArgs, DoorArgs, LogArgs, LogFormat, NodeArgs, Placement},
    values::LogFilter,
};

/// A Socket.IO server that is a cluster by nature: chat on any node, and any node finds your session.
#[derive(Debug, Parser)]
#[command(name = "hither", version, propagate_version = true, max_term_width = 100, after_help = EXAMPLE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLE: &str = "\
Example, two nodes on one machine; then open http://127.0.0.1:9001 and http://127.0.0.1:9002:
  hither node --name node1
  hither node --name node2 --http 127.0.0.1:9002 --cluster 127.0.0.1:7002 --seed 127.0.0.1:7001

More on each command: hither help COMMAND";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node: alone, or in the cluster of its seeds
    Node(NodeCommand),
}

/// What a node of the chat is told.
#[derive(Debug, Args)]
#[command(after_help = NODE_NOTES)]
pub struct NodeCommand {
    /// What every node is told.
    #[command(flatten)]
    pub node: NodeArgs,
    /// What the chat is told.
    #[command(flatten)]
    pub chat: ChatArgs,
}

const NODE_NOTES: &str = "\
SIGTERM or SIGINT (Ctrl-C) ends a node in order: what it owns goes to the other nodes first. A second \
signal ends it at once. Exit codes: 0 left in order, 1 could not start or go on, 2 a flag is wrong.

Example, one of several machines:
  hither node --name node1 --http 0.0.0.0:9001 --cluster 10.0.0.1:7001 \\
      --seed hither.internal:7001 --secret-file /etc/hither/secret";

/// The chat's flags.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Chat")]
pub struct ChatArgs {
    /// The longest message that may be written, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = values::max_message_bytes)]
    pub max_message_bytes: usize,
}
