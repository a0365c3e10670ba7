//! The flags that every node has.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};
use hither::{
    SessionPlacement,
    cluster::{NodeName, ShardCount},
};

use super::{
    client_args::ClientArgs,
    values::{self, LogFilter},
};
use crate::{http::HostName, tls::TlsFiles};

/// The flags that every node has. Flatten them into the command line of a program that is a node.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Who the node is, and where clients find it.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// Its part in the cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How much clients may do.
    #[command(flatten)]
    pub clients: ClientArgs,
    /// What it tells of its life.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Who a node is, and where clients find it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Name and addresses")]
pub struct ListenArgs {
    /// The node's name, unique in its cluster: letters, digits, `.`, `_` and `-`; this host's unless given
    #[arg(long, value_name = "NAME", default_value_t = values::host_name())]
    pub name: NodeName,

    /// Where clients and balancers reach this node. Port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9001", value_parser = values::address)]
    pub http: SocketAddr,

    /// Also serve here, side by side with other nodes of this machine: the kernel scatters connections over all that
    /// listen at this address (SO_REUSEPORT), so that no balancer is needed. Repeatable
    #[arg(long = "front", value_name = "HOST:PORT", value_parser = values::front_address)]
    pub fronts: Vec<SocketAddr>,

    /// Serve --http and --front over TLS (1.2 and 1.3), with the certificate in this file: PEM, this server's own first, then
    /// those that vouch for it. The file is read again when it changes, and at SIGHUP. Unless given, they speak plain HTTP,
    /// and TLS is up to a balancer
    #[arg(long, value_name = "PATH", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// A file with the private key of that certificate: PEM, not encrypted. Read again together with it
    #[arg(long, value_name = "PATH", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Where operators reach this node: health, status, the cluster page, and `hither leave`. Plain HTTP for whoever gets
    /// there, so it belongs on loopback or a network of operators. [default: this machine's loopback, at the port of
    /// --http and 1000 more, such as 127.0.0.1:10001]
    #[arg(long, value_name = "HOST:PORT", value_parser = values::address)]
    pub admin: Option<SocketAddr>,

    /// A host name by which operators ask at --admin, beside `localhost` and addresses. Requests with any other are refused
    /// with 421, for they may be those of a page that has its own name lead here. Repeatable
    #[arg(long = "admin-host", value_name = "NAME")]
    pub admin_hosts: Vec<HostName>,

    /// Show the cluster page and status at --http and --front, too, to whoever asks. `hither leave` stays at --admin
    #[arg(long)]
    pub public_status: bool,
}

impl ListenArgs {
    /// The certificate and the key by which clients are served over TLS, if they are to be.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
        })
    }

    /// Where operators reach the node. Nodes of one machine have different ports for clients, and so for operators.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.unwrap_or_else(|| {
            let ip = self.http.ip();
            let ip = if ip.is_loopback() {
                ip
            } else {
                Ipv4Addr::LOCALHOST.into()
            };
            let port = match self.http.port() {
                0 => 0,
                port => port.checked_add(ABOVE_HTTP).unwrap_or_else(|| port - ABOVE_HTTP),
            };
            SocketAddr::new(ip, port)
        })
    }
}

/// From the port for clients to that for operators, unless they are given; downwards where there is none so high.
const ABOVE_HTTP: u16 = 1000;

/// A node's part in its cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Where the other nodes reach this one, for links (TCP) and gossip (UDP) on one port number. They are told this address,
    /// so it is not 0.0.0.0
    #[arg(
        id = "cluster",
        long = "cluster",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7001"
    )]
    #[arg(value_parser = values::cluster_address)]
    pub address: SocketAddr,

    /// The cluster address of a node that may be there already. It may be down, or be this node; a name is looked up again
    /// and again. Without a seed the node is a cluster of one, which others can join. Repeatable
    #[arg(long = "seed", value_name = "HOST:PORT", value_parser = values::seed)]
    pub seeds: Vec<String>,

    /// Fail the health check while the node has seeds and sees no other node, so that balancers send nobody to a part of the
    /// cluster that is cut off
    #[arg(long)]
    pub unready_alone: bool,

    /// A file with the secret that all nodes of the cluster share, as `hither secret new` prints it. While one is exchanged
    /// there are two, one a line or in two files: the first is used, both are accepted. The file is read again when it
    /// changes, and at SIGHUP. Unless given, the environment variable HITHER_SECRET is the secret; without that, cluster
    /// addresses must be on loopback. Repeatable
    #[arg(long = "secret-file", value_name = "PATH")]
    pub secret_files: Vec<PathBuf>,

    /// Which node owns a new session: `near`, the one where it is opened, or `spread`, wherever the hash of its id falls
    #[arg(
        long,
        value_name = "WHERE",
        default_value = "near",
        hide_possible_values = true
    )]
    pub placement: Placement,

    /// Into how many shards sessions are divided, 1 to 65536; the same on all nodes
    #[arg(long, value_name = "N", default_value = "1024", value_parser = values::shards)]
    pub shards: ShardCount,

    /// How many lanes run sessions here, 1 to 64; two per core unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub lanes: Option<u8>,

    /// How long a node may be silent before it counts as lost
    #[arg(long, value_name = "TIME", default_value = "4s", value_parser = values::duration)]
    pub failure_timeout: Duration,

    /// How long a node may be silent whose link has closed, before it counts as lost
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = values::duration)]
    pub suspicion_timeout: Duration,

    /// For how long a node that leaves answers its health check with 503 and serves everything as before, so that balancers
    /// notice: longer than theirs take
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = values::duration)]
    pub leave_grace: Duration,

    /// How long leaving in order may take after that; what the node still owns then ends with it
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::duration)]
    pub leave_timeout: Duration,

    /// Over which time the clients of WebSockets are sent to other nodes when this one leaves: each when its turn has come
    /// and it has been answered a call, or 2 s after its turn
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = values::duration)]
    pub leave_spread: Duration,

    /// How long a client whose connection broke may take to come back to where it was, with what it missed; `0s` turns
    /// that off. [default: 2m, on a testbed 0s]
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub recovery: Option<Duration>,

    /// Keep no replicas of sessions on a second node: less work, and the sessions of a node that dies are lost
    #[arg(long)]
    pub no_replication: bool,
}

/// What a node tells of its life.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// What is logged: off, error, warn, info, debug or trace, or for single targets too, such as
    /// `info,hither::requests=warn`, which leaves out the lines about single requests
    #[arg(
        id = "log",
        long = "log",
        value_name = "FILTER",
        env = "HITHER_LOG",
        default_value = "info"
    )]
    pub filter: LogFilter,

    /// Lines for people (`human`, times in UTC) or for programs (`json`, one object per line), on standard error
    #[arg(
        id = "log-format",
        long = "log-format",
        value_name = "FORMAT",
        default_value = "human"
    )]
    #[arg(hide_possible_values = true)]
    pub format: LogFormat,
}

/// Which node owns a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Placement {
    /// The node where it is opened.
    Near,
    /// Wherever the hash of its id falls.
    Spread,
}

impl From<Placement> for SessionPlacement {
    fn from(placement: Placement) -> Self {
        match placement {
            Placement::Near => Self::Near,
            Placement::Spread => Self::Spread,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// For programs: one JSON object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use hither::cluster::MembershipTiming;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        node: NodeArgs,
    }

    fn parse(line: &str) -> NodeArgs {
        Program::parse_from(std::iter::once("program").chain(line.split_whitespace())).node
    }

    #[test]
    fn the_defaults_are_those_of_the_cluster() {
        let NodeArgs {
            listen, cluster, log, ..
        } = parse("");
        let timing = MembershipTiming::default();
        assert_eq!(listen.http.to_string(), "127.0.0.1:9001");
        assert_eq!(cluster.address.to_string(), "127.0.0.1:7001");
        assert_eq!(cluster.shards, ShardCount::default());
        assert_eq!(cluster.failure_timeout, timing.failure_timeout);
        assert_eq!(cluster.suspicion_timeout, timing.suspicion_confirm);
        assert_eq!(cluster.placement, Placement::Near);
        assert_eq!(log.format, LogFormat::Human);
    }

    #[test]
    fn fronts_and_seeds_may_be_many() {
        let NodeArgs { listen, cluster, .. } =
            parse("--front 127.0.0.1:9000 --front [::1]:9000 --seed node2:7001 --seed node3:7001");
        assert_eq!(listen.fronts.len(), 2);
        assert_eq!(cluster.seeds, ["node2:7001", "node3:7001"]);
    }

    #[test]
    fn operators_have_a_port_of_each_node_on_loopback() {
        for (line, expected) in [
            ("", "127.0.0.1:10001"),
            ("--http 127.0.0.2:9001", "127.0.0.2:10001"),
            ("--http 0.0.0.0:80", "127.0.0.1:1080"),
            ("--http [::1]:9002", "[::1]:10002"),
            ("--http [::]:9002", "127.0.0.1:10002"),
            ("--http 10.0.0.1:65000", "127.0.0.1:64000"),
            ("--http 10.0.0.1:0", "127.0.0.1:0"),
            ("--http 10.0.0.1:80 --admin 10.1.0.1:90", "10.1.0.1:90"),
        ] {
            assert_eq!(parse(line).listen.admin().to_string(), expected, "{line}");
        }
    }

    #[test]
    fn a_whole_command_line_is_read() {
        let NodeArgs {
            listen, cluster, log, ..
        } = parse(
            "--name node7 --http 0.0.0.0:80 --cluster 10.0.0.7:7001 --secret-file /etc/secret --placement spread \
             --shards 64 --lanes 3 --failure-timeout 2s --suspicion-timeout 700ms --leave-grace 7s --leave-timeout 1m \
             --leave-spread 5s --recovery 90s --no-replication --log debug \
             --log-format json",
        );
        assert_eq!(listen.name.as_str(), "node7");
        assert_eq!(listen.http.to_string(), "0.0.0.0:80");
        assert_eq!(cluster.address.to_string(), "10.0.0.7:7001");
        assert_eq!(cluster.secret_files, [PathBuf::from("/etc/secret")]);
        assert_eq!(cluster.placement, Placement::Spread);
        assert_eq!(cluster.shards.get(), 64);
        assert_eq!(cluster.lanes, Some(3));
        assert_eq!(cluster.failure_timeout, Duration::from_secs(2));
        assert_eq!(cluster.suspicion_timeout, Duration::from_millis(700));
        assert_eq!(cluster.leave_grace, Duration::from_secs(7));
        assert_eq!(cluster.leave_timeout, Duration::from_secs(60));
        assert_eq!(cluster.leave_spread, Duration::from_secs(5));
        assert_eq!(cluster.recovery, Some(Duration::from_secs(90)));
        assert!(cluster.no_replication);
        assert_eq!(log.filter.to_string(), "debug");
        assert_eq!(log.format, LogFormat::Json);
    }
}
