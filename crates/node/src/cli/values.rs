//! What flags are given, read from text. Every error says what would be right.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
    time::Duration,
};

use hither::cluster::{NodeName, ShardCount};
use tracing_subscriber::EnvFilter;

/// Text that a flag cannot take.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error("an address is HOST:PORT, such as 127.0.0.1:9001, [::1]:9001 or localhost:9001")]
    NotAnAddress,
    #[error("that name cannot be looked up ({0}): give the address as IP:PORT")]
    UnknownHost(std::io::Error),
    #[error(
        "other nodes could not reach this one there: give an address of this machine that they can reach, or 127.0.0.1 \
         if they are on this machine"
    )]
    NotReachable,
    #[error("nodes share this address, so give its port: 0 would be another one for each")]
    NotShareable,
    #[error("a seed is HOST:PORT, the cluster address of another node, such as node2.internal:7001")]
    NotASeed,
    #[error("a time is a number with its unit, such as 500ms, 4s or 2m")]
    NotATime,
    #[error(
        "a filter is off, error, warn, info, debug or trace, or TARGET=LEVEL,… such as info,hither::requests=warn"
    )]
    NotAFilter,
    #[error("give a number of shards from 1 to 65536")]
    NotAShardCount,
    #[error("a node is asked at http://HOST or http://HOST:PORT, such as http://127.0.0.1:10001")]
    NotANodeUrl,
}

/// An address to listen at. A name is looked up once, and an IPv4 address of it preferred, for that is what most clients
/// try.
pub(super) fn address(text: &str) -> Result<SocketAddr, ValueError> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    split_host(text).ok_or(ValueError::NotAnAddress)?;
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(ValueError::UnknownHost)?.collect();
    let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
    best.copied().ok_or(ValueError::NotAnAddress)
}

/// An address to listen at that the others can be told as it is.
pub(super) fn cluster_address(text: &str) -> Result<SocketAddr, ValueError> {
    let address = address(text)?;
    if address.ip().is_unspecified() {
        return Err(ValueError::NotReachable);
    }
    Ok(address)
}

/// An address that nodes share, so that a port that each would take for itself makes no sense.
pub(super) fn front_address(text: &str) -> Result<SocketAddr, ValueError> {
    let address = address(text)?;
    if address.port() == 0 {
        return Err(ValueError::NotShareable);
    }
    Ok(address)
}

/// Where another node may be. Looked up only when it is asked, for it may come to be later than this node.
pub(super) fn seed(text: &str) -> Result<String, ValueError> {
    match split_host(text) {
        Some((_, port)) if port != 0 => Ok(text.to_owned()),
        _ => Err(ValueError::NotASeed),
    }
}

/// Where a node answers requests of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrl {
    /// With its port.
    authority: String,
}

impl NodeUrl {
    /// Its host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl FromStr for NodeUrl {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority = text
            .strip_prefix("http://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .ok_or(ValueError::NotANodeUrl)?;
        let with_port = [authority.to_owned(), format!("{authority}:80")];
        let found = with_port
            .into_iter()
            .find(|authority| split_host(authority).is_some());
        let authority = found.ok_or(ValueError::NotANodeUrl)?;
        Ok(Self { authority })
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

fn split_host(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    // Of addresses only those of IPv6 have colons, and they go into brackets.
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '/']) && !host.contains(char::is_whitespace),
    };
    is_host.then_some((host, port))
}

pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or(ValueError::NotATime)?;
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| ValueError::NotATime)?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return Err(ValueError::NotATime),
    };
    Ok(unit * number)
}

pub(super) fn shards(text: &str) -> Result<ShardCount, ValueError> {
    let count: u32 = text.parse().map_err(|_| ValueError::NotAShardCount)?;
    count.try_into().map_err(|_| ValueError::NotAShardCount)
}

/// This host's name, as far as it can be one of a node.
pub(super) fn host_name() -> NodeName {
    let name = rustix::system::uname();
    node_name(&name.nodename().to_string_lossy())
}

fn node_name(host: &str) -> NodeName {
    let allowed = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    host.chars()
        .map(allowed)
        .take(64)
        .collect::<String>()
        .try_into()
        .unwrap_or_default()
}

/// Which events are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// What is logged of the libraries under us. That links come and go we say ourselves, and in our own words.
const LIBRARIES: &str = "warn,ractor_cluster=error";
/// Every target of ours begins like this.
const OURS: &str = "hither";

impl LogFilter {
    /// As directives: a bare level is for what is ours, and the libraries under us whisper unless they are named.
    fn directives(&self) -> String {
        let (levels, targets): (Vec<&str>, Vec<&str>) = self
            .0
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .partition(|part| is_level(part));
        let ours = levels.last().unwrap_or(&"info");
        let libraries = if ["off", "error"].contains(ours) {
            ours
        } else {
            LIBRARIES
        };
        let base = format!("{libraries},{OURS}={ours}");
        std::iter::once(base.as_str())
            .chain(targets)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// For tracing.
    pub(crate) fn to_env_filter(&self) -> EnvFilter {
        // Checked when it was read.
        EnvFilter::builder().parse_lossy(self.directives())
    }
}

fn is_level(text: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].contains(&text)
}

impl FromStr for LogFilter {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let filter = Self(text.to_lowercase());
        let names_a_target =
            |part: &str| part.trim().is_empty() || is_level(part.trim()) || part.contains(['=', '[']);
        // A bare word would be taken for a target, but is a level with a slip in it.
        if !filter.0.split(',').all(names_a_target)
            || EnvFilter::builder().parse(filter.directives()).is_err()
        {
            return Err(ValueError::NotAFilter.into());
        }
        Ok(filter)
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_names() {
        assert_eq!(
            address("127.0.0.1:9001").unwrap(),
            SocketAddr::from(([127, 0, 0, 1], 9001))
        );
        assert!(address("[::1]:9001").unwrap().is_ipv6());
        assert_eq!(
            address("localhost:9001").unwrap(),
            SocketAddr::from(([127, 0, 0, 1], 9001))
        );
        for text in [
            "9001",
            ":9001",
            "127.0.0.1",
            "127.0.0.1:x",
            "::1:9001:",
            "a b:1",
            "http://x:80",
            "",
        ] {
            assert!(matches!(address(text), Err(ValueError::NotAnAddress)), "{text}");
        }
    }

    #[test]
    fn a_cluster_address_is_one_that_others_can_reach() {
        assert!(cluster_address("10.0.0.1:7001").is_ok());
        for text in ["0.0.0.0:7001", "[::]:7001"] {
            assert!(
                matches!(cluster_address(text), Err(ValueError::NotReachable)),
                "{text}"
            );
        }
    }

    #[test]
    fn seeds_are_not_looked_up_yet() {
        for text in [
            "node2:7001",
            "10.0.0.2:7001",
            "[2001:db8::1]:7001",
            "not-there.invalid:7001",
        ] {
            assert_eq!(seed(text).unwrap(), text);
        }
        for text in [
            "node2",
            "node2:0",
            "node2:x",
            ":7001",
            "2001:db8::1:7001",
            "node2:70001",
            "tcp://node2:7001",
        ] {
            assert!(matches!(seed(text), Err(ValueError::NotASeed)), "{text}");
        }
    }

    #[test]
    fn a_node_is_asked_over_http() {
        let read = |text: &str| text.parse::<NodeUrl>().map(|url| url.to_string());
        for (text, url) in [
            ("http://127.0.0.1:9001", "http://127.0.0.1:9001"),
            ("http://node1.internal:9001/", "http://node1.internal:9001"),
            ("http://node1", "http://node1:80"),
            ("http://[::1]", "http://[::1]:80"),
            ("http://[::1]:9001", "http://[::1]:9001"),
        ] {
            assert_eq!(read(text).unwrap(), url);
        }
        for text in [
            "node1:9001",
            "https://node1",
            "http://",
            "http://node1:x",
            "http://node1/status",
            "http://a b",
            "http://::1",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.contains("such as http://127.0.0.1:10001"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("4s").unwrap(), Duration::from_secs(4));
        assert_eq!(duration("2m").unwrap(), Duration::from_secs(120));
        for text in ["", "4", "s", "-4s", "4.5s", "4h", "4 s", "99999999999s"] {
            assert!(matches!(duration(text), Err(ValueError::NotATime)), "{text}");
        }
    }

    #[test]
    fn a_host_name_becomes_a_node_name() {
        assert_eq!(node_name("web-1.example.org").as_str(), "web-1.example.org");
        assert_eq!(node_name("büro (2)").as_str(), "b-ro--2-");
        assert_eq!(node_name(&"x".repeat(100)).as_str(), "x".repeat(64));
        assert_eq!(node_name("").as_str(), "node");
    }

    #[test]
    fn a_level_is_for_what_is_ours() {
        let directives = |text: &str| text.parse::<LogFilter>().unwrap().directives();
        assert_eq!(directives("debug"), "warn,ractor_cluster=error,hither=debug");
        assert_eq!(directives("INFO"), "warn,ractor_cluster=error,hither=info");
        assert_eq!(directives(""), "warn,ractor_cluster=error,hither=info");
        assert_eq!(directives("error"), "error,hither=error");
        assert_eq!(directives("off"), "off,hither=off");
        assert_eq!(
            directives("hyper=debug"),
            "warn,ractor_cluster=error,hither=info,hyper=debug"
        );
        assert_eq!(
            directives("debug, hither::requests=warn"),
            "warn,ractor_cluster=error,hither=debug,hither::requests=warn"
        );
    }

    #[test]
    fn a_slip_in_a_filter_is_told() {
        for text in ["loud", "debgu", "hither=loud", "info,debgu", "=="] {
            let error = text.parse::<LogFilter>().unwrap_err().to_string();
            assert!(
                error.contains("off, error, warn, info, debug or trace"),
                "{text}: {error}"
            );
        }
    }
}
