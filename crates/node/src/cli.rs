//! The command line of `hither`.

mod client_args;
mod complaint;
mod node_args;
mod store_args;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hither_store::StoreUrl;

pub(crate) use self::complaint::MISUSE;
pub use self::{
    client_args::ClientArgs,
    complaint::parse,
    node_args::{ClusterArgs, DoorArgs, LogArgs, LogFormat, NodeArgs, Placement},
    store_args::{FileArgs, StoreAction, StoreArgs, StoreCommand, StoreText},
    values::{LogFilter, NodeUrl},
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
    Node(Box<NodeCommand>),
    /// Ask a node that runs to leave in order, as SIGTERM does
    Leave(LeaveCommand),
    /// Show how a cluster is: its members, their shards and sessions, and what moves
    Status(StatusCommand),
    /// Look after a store: check it, back it up, export it, import an export
    Store(StoreCommand),
    /// Make a secret for a cluster
    Secret {
        /// What to do with secrets.
        #[command(subcommand)]
        command: SecretCommand,
    },
}

/// What to do with secrets.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum SecretCommand {
    /// Print a new one: 32 random bytes, as 64 hexadecimal digits
    #[command(after_help = SECRET_NOTES)]
    New,
}

const SECRET_NOTES: &str = "\
Example: (umask 077; hither secret new > /etc/hither/secret)

To exchange the secret of a cluster that runs, in three rounds over its nodes; each node reads its file again by itself: \
add the new secret as a second line; move it to the first line; delete the old one. Wait between rounds until every node \
has logged `cluster secrets read again`. A session id bears a code of the secret that was first when it began: long after \
the second round nobody misses the old one; before that, clients that poll with such an id reconnect and recover.";

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
SIGTERM, SIGINT (Ctrl-C) or `hither leave` ends a node in order: what it owns goes to the other nodes first. A second \
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

    /// Where accounts, rooms and messages are kept: `sqlite:PATH`, a file that the nodes of one machine share, or
    /// `postgres://USER@HOST/DATABASE`. A password for PostgreSQL comes by --store-password-file or HITHER_STORE_PASSWORD
    #[arg(
        long,
        value_name = "URL",
        env = "HITHER_STORE",
        hide_env_values = true,
        default_value = "sqlite:hither.db"
    )]
    #[arg(value_parser = StoreUrl::parse)]
    pub store: StoreUrl,

    /// A file with the password of the store. Unless given, the environment variable HITHER_STORE_PASSWORD is, if set
    #[arg(long, value_name = "PATH")]
    pub store_password_file: Option<PathBuf>,

    /// Let people chat as guests, under a name without a password
    #[arg(long)]
    pub guests: bool,

    /// Attempts to sign in, sign up or come as a guest that one address has in 15 minutes. All who come by a balancer or a NAT
    /// share one
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub sign_in_limit: u32,

    /// Messages that one person may send per second in the long run; four times as many at once
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub message_rate: u32,

    /// Bytes that an uploaded file may have, at most 16777216; `0` turns uploads off. Files are kept in the store
    #[arg(long, value_name = "BYTES", default_value_t = 10 << 20, value_parser = clap::value_parser!(u32).range(0..=16 << 20))]
    pub upload_limit: u32,

    /// Remove messages that are older than so many days, with their files; `0` keeps them
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub retain_days: u32,

    /// Keep so many messages of each room, the last ones; `0` keeps all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retain_messages: u32,
}
