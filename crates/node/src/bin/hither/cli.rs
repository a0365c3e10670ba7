//! The command line of `hither`.

use clap::{Args, Parser, Subcommand};
use hither_node::{LeaveCommand, NodeArgs, StatusCommand};

use crate::store_args::{StoreArgs, StoreCommand};

/// A Socket.IO server that is a cluster by nature: chat on any node, and any node finds your session.
#[derive(Debug, Parser)]
#[command(name = "hither", version, propagate_version = true, max_term_width = 100, after_help = EXAMPLE)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLE: &str = "\
Example, two nodes on one machine; then open http://127.0.0.1:9001 and http://127.0.0.1:9002:
  hither node --name node1
  hither node --name node2 --http 127.0.0.1:9002 --cluster 127.0.0.1:7002 --seed 127.0.0.1:7001

More on each command: hither help COMMAND";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
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
pub(crate) enum SecretCommand {
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

/// What a node of the chat is told.
#[derive(Debug, Args)]
#[command(after_help = NODE_NOTES)]
pub(crate) struct NodeCommand {
    /// What every node is told.
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// What the chat is told.
    #[command(flatten)]
    pub(crate) chat: ChatArgs,
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
pub(crate) struct ChatArgs {
    /// The longest message that may be written, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = message_bytes)]
    pub(crate) max_message_bytes: usize,

    /// Let people chat as guests, under a name without a password
    #[arg(long)]
    pub(crate) guests: bool,

    /// Attempts to sign in, sign up or come as a guest that one address has in 15 minutes. All who come by a balancer or a NAT
    /// share one
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sign_in_limit: u32,

    /// Messages that one person may send per second in the long run; four times as many at once
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) message_rate: u32,

    /// Bytes that an uploaded file may have, at most 16777216; `0` turns uploads off. Files are kept in the store
    #[arg(long, value_name = "BYTES", default_value_t = 10 << 20, value_parser = clap::value_parser!(u32).range(0..=16 << 20))]
    pub(crate) upload_limit: u32,

    /// Remove messages that are older than so many days, with their files; `0` keeps them
    #[arg(long, value_name = "DAYS", default_value_t = 0)]
    pub(crate) retain_days: u32,

    /// Keep so many messages of each room, the last ones; `0` keeps all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) retain_messages: u32,

    /// Which store. Last, for its heading goes on until the next.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// A message must fit a packet, and packets are at most `maxPayload` at its default.
fn message_bytes(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(bytes @ 1..=1_000_000) => Ok(bytes),
        _ => Err("give a number of bytes from 1 to 1000000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_flag_is_told_what_would_be_right() {
        for (line, right) in [
            ("hither node --max-message-bytes 0", "1 to 1000000"),
            ("hither nod", "'node'"),
            ("hither node --sed a:1", "'--seed'"),
            ("hither status --node https://x", "http://"),
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(error.contains(right), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_given_as_a_store_is_never_repeated() {
        let wrong = "--store=mysql://hither:secret@db/chat --guest";
        let line = ["hither", "node"].into_iter().chain(wrong.split(' '));
        let error = Cli::try_parse_from(line).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
