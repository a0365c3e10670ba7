//! From flags to what the cluster and the server are started with.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use hither::{
    RecoveryConfig, ServerConfig,
    cluster::{ClusterConfig, ExposedWithoutSecret, MembershipTiming, Secret, SecretError, Secrets},
};

use crate::cli::{ClusterArgs, NodeArgs};

/// Where the secret is, unless in a file. Never a flag: everybody on the machine can read those of all processes.
const SECRET_VARIABLE: &str = "HITHER_SECRET";

/// A setting that does not fit the machine, or another setting.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misuse {
    #[error("{origin}: {error}")]
    Secret {
        origin: &'static str,
        error: SecretError,
    },
    #[error("{SECRET_VARIABLE} is not UTF-8: `hither secret new` makes a secret")]
    SecretNotText,
    #[error(transparent)]
    Exposed(#[from] ExposedWithoutSecret),
}

/// The secrets of the cluster, and whether somebody chose them.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// Only who knows one of them is a peer.
    Secrets(Secrets),
    /// Who can send to this machine's loopback is a peer.
    Loopback,
}

impl Trust {
    /// What the flags and the environment say.
    pub(crate) fn of(args: &ClusterArgs) -> Result<Self, Misuse> {
        let trust = Self::configured(&args.secret_files)?;
        trust.secrets().check_exposure(&[args.address], &[args.address])?;
        Ok(trust)
    }

    /// What files hold, or else the environment.
    pub(crate) fn configured(secret_files: &[PathBuf]) -> Result<Self, Misuse> {
        Self::read(secret_files, std::env::var_os(SECRET_VARIABLE))
    }

    fn read(files: &[PathBuf], variable: Option<OsString>) -> Result<Self, Misuse> {
        let by = |origin| move |error| Misuse::Secret { origin, error };
        match (files, variable) {
            ([_, ..], _) => read_secrets(files).map(Self::Secrets),
            ([], Some(text)) if !text.is_empty() => {
                let text = text.into_string().map_err(|_| Misuse::SecretNotText)?;
                Secrets::parse(&text)
                    .map_err(by(SECRET_VARIABLE))
                    .map(Self::Secrets)
            }
            _ => Ok(Self::Loopback),
        }
    }

    /// The secrets that were chosen, or the one that every Hither knows.
    pub(crate) fn secrets(&self) -> Secrets {
        match self {
            Self::Secrets(secrets) => secrets.clone(),
            Self::Loopback => Secret::well_known().into(),
        }
    }
}

/// The secrets that files hold now.
pub(crate) fn read_secrets(files: &[PathBuf]) -> Result<Secrets, Misuse> {
    Secrets::from_files(files).map_err(|error| Misuse::Secret {
        origin: "--secret-file",
        error,
    })
}

/// How this node takes part in its cluster, with clients at `http`.
pub(crate) fn cluster_config(args: &NodeArgs, trust: &Trust, http: SocketAddr) -> ClusterConfig {
    let NodeArgs { listen, cluster, .. } = args;
    let config = ClusterConfig::new(
        listen.name.clone(),
        told_to_others(http, cluster.address),
        cluster.address,
        trust.secrets(),
    );
    ClusterConfig {
        seeds: cluster.seeds.clone(),
        shards: cluster.shards,
        lanes: cluster.lanes.map_or(config.lanes, usize::from),
        replicate: !cluster.no_replication,
        timing: MembershipTiming {
            failure_timeout: cluster.failure_timeout,
            suspicion_confirm: cluster.suspicion_timeout,
            ..config.timing
        },
        ..config
    }
}

/// A node that serves clients on all its addresses is told to others by the one at which it serves them.
fn told_to_others(http: SocketAddr, cluster: SocketAddr) -> SocketAddr {
    if http.ip().is_unspecified() {
        SocketAddr::new(cluster.ip(), http.port())
    } else {
        http
    }
}

/// How clients are treated: as the reference server does, but for what the flags say. As many may connect as there are
/// `descriptors` for, if that is known.
pub(crate) fn server_config(args: &NodeArgs, descriptors: Option<u32>) -> ServerConfig {
    let window = args.cluster.recovery.filter(|window| !window.is_zero());
    ServerConfig {
        placement: args.cluster.placement.into(),
        recovery: window.map(|window| RecoveryConfig {
            window,
            ..RecoveryConfig::default()
        }),
        cors: args.clients.cors(),
        client_bundle: !args.clients.no_client_bundle,
        jsonp: !args.clients.no_jsonp,
        client_limits: args.clients.session_limits(),
        admission: args.clients.limits(descriptors),
        ..ServerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        node: NodeArgs,
    }

    fn parse(line: &str) -> NodeArgs {
        Program::parse_from(std::iter::once("program").chain(line.split_whitespace())).node
    }

    #[test]
    fn a_file_wins_over_the_environment() {
        let missing = ["/does/not/exist".into()];
        let error = Trust::read(&missing, Some(SECRET.into()))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("--secret-file: ") && error.contains("/does/not/exist"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_that_was_made_up_is_refused_and_an_empty_one_is_none() {
        let error = Trust::read(&[], Some("hunter2".into())).unwrap_err().to_string();
        assert!(
            error.starts_with("HITHER_SECRET: ") && error.contains("`hither secret new`"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
        assert!(matches!(Trust::read(&[], Some("".into())), Ok(Trust::Loopback)));
        assert!(matches!(Trust::read(&[], None), Ok(Trust::Loopback)));
        assert!(matches!(
            Trust::read(&[], Some(SECRET.into())),
            Ok(Trust::Secrets(_))
        ));
    }

    #[test]
    fn the_cluster_is_told_where_clients_really_reach_the_node() {
        let bound = |text: &str| text.parse::<SocketAddr>().unwrap();
        let args = parse("--http 0.0.0.0:0 --cluster 10.0.0.7:7001");
        let config = cluster_config(&args, &Trust::Loopback, bound("0.0.0.0:43210"));
        assert_eq!(config.http, bound("10.0.0.7:43210"));
        let config = cluster_config(&args, &Trust::Loopback, bound("192.0.2.1:80"));
        assert_eq!(config.http, bound("192.0.2.1:80"));
    }

    #[test]
    fn every_cluster_flag_arrives() {
        let args = parse(
            "--name node7 --cluster 127.0.0.1:7007 --seed a:1 --shards 64 --lanes 3 --failure-timeout 2s \
             --suspicion-timeout 700ms --placement spread",
        );
        let config = cluster_config(&args, &Trust::Loopback, args.listen.http);
        assert_eq!(config.name.as_str(), "node7");
        assert_eq!(config.address, args.cluster.address);
        assert_eq!(config.seeds, ["a:1"]);
        assert_eq!(config.shards.get(), 64);
        assert_eq!(config.lanes, 3);
        assert_eq!(config.timing.failure_timeout.as_secs(), 2);
        assert_eq!(config.timing.suspicion_confirm.as_millis(), 700);
        assert_eq!(
            server_config(&args, None).placement,
            hither::SessionPlacement::Spread
        );
    }
}
