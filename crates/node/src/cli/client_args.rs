//! The flags that say how much clients may do.

use std::num::NonZeroU32;

use clap::Args;
use hither::{AdmissionLimits, ClientLimits, CorsConfig, CorsOrigins, Rate, TrustedProxies};

/// Who may come, and how many.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Clients")]
pub struct ClientArgs {
    /// A proxy or balancer, by address or network such as 10.0.0.0/8, whose X-Forwarded-For, X-Forwarded-Proto and
    /// X-Forwarded-Host are believed. Without it all that come through one count as one client. Repeatable
    #[arg(long = "trust-proxy", value_name = "CIDR")]
    pub trusted_proxies: Vec<TrustedProxies>,

    /// Most connections at this node; `0` for as many as the limit on open files allows, which is the most in any case
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_connections: u32,

    /// Most connections of one address, or of one /64 of IPv6; `0` for any number
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub max_connections_per_address: u32,

    /// Most sessions that are opened at this node in a second, and ten times as many at once; `0` for any number
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub max_opens: u32,

    /// Most sessions that are opened from one address in a second, and ten times as many at once; `0` for any number
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_opens_per_address: u32,

    /// Most packets that are taken of one session in a second, and twice as many at once: what comes faster has to wait; `0` for
    /// any number
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub max_packets_per_session: u32,

    /// Most bytes that are taken of one session in a second, and as many at once; `0` for any number
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub max_bytes_per_session: u32,

    /// Most rooms that a socket may be in; `0` for any number
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max_rooms_per_socket: u32,

    /// Most namespaces that a client may be in at a time; `0` for any number
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_namespaces_per_session: u32,

    /// An origin, such as `https://app.example.org`, whose pages may use this server beside its own; `*` for all. Repeatable
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,

    /// Those pages may read answers to requests with cookies
    #[arg(long, requires = "cors_origins")]
    pub cors_credentials: bool,

    /// Do not give browsers the client, `/socket.io/socket.io.js` and its like
    #[arg(long)]
    pub no_client_bundle: bool,

    /// Do not let pages poll by scripts (JSONP), as very old browsers must
    #[arg(long)]
    pub no_jsonp: bool,
}

impl ClientArgs {
    /// The limits, with as many connections as there are file descriptors for, if that is known.
    pub(crate) fn limits(&self, descriptors: Option<u32>) -> AdmissionLimits {
        let asked_for = NonZeroU32::new(self.max_connections);
        let possible = descriptors.and_then(NonZeroU32::new);
        AdmissionLimits {
            trusted_proxies: self.trusted_proxies.iter().cloned().collect(),
            connections: match (asked_for, possible) {
                (Some(asked_for), Some(possible)) => Some(asked_for.min(possible)),
                (asked_for, possible) => asked_for.or(possible),
            },
            connections_per_address: NonZeroU32::new(self.max_connections_per_address),
            opens: NonZeroU32::new(self.max_opens).map(Rate::per_second),
            opens_per_address: NonZeroU32::new(self.max_opens_per_address).map(Rate::per_second),
            ..AdmissionLimits::default()
        }
    }

    /// What one client may ask for.
    pub(crate) fn session_limits(&self) -> ClientLimits {
        let at_most = |number: u32| NonZeroU32::new(number).map_or(u32::MAX, NonZeroU32::get);
        let packets_per_second = at_most(self.max_packets_per_session);
        let bytes_per_second = at_most(self.max_bytes_per_session);
        ClientLimits {
            packets_per_second,
            packet_burst: packets_per_second.saturating_mul(2),
            bytes_per_second,
            byte_burst: bytes_per_second,
            rooms: at_most(self.max_rooms_per_socket) as usize,
            namespaces: at_most(self.max_namespaces_per_session) as usize,
        }
    }

    /// The cross-origin rules.
    pub(crate) fn cors(&self) -> CorsConfig {
        let origins = match &*self.cors_origins {
            [] => CorsOrigins::SameOrigin,
            origins if origins.iter().any(|origin| origin == "*") => CorsOrigins::Any,
            origins => CorsOrigins::Listed(origins.to_vec()),
        };
        CorsConfig {
            origins,
            credentials: self.cors_credentials,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        clients: ClientArgs,
    }

    fn parse(line: &str) -> ClientArgs {
        let words = std::iter::once("program").chain(line.split_whitespace());
        Program::parse_from(words).clients
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let (limits, library) = (parse("").limits(None), AdmissionLimits::default());
        assert_eq!(limits.connections, library.connections);
        assert_eq!(limits.connections_per_address, library.connections_per_address);
        assert_eq!(limits.opens, library.opens);
        assert_eq!(limits.opens_per_address, library.opens_per_address);
        assert_eq!(limits.trusted_proxies, library.trusted_proxies);
        assert_eq!(parse("").session_limits(), ClientLimits::default());
        assert_eq!(parse("").cors(), CorsConfig::default());
    }

    #[test]
    fn every_flag_arrives() {
        let args = parse(
            "--trust-proxy 10.0.0.0/8 --trust-proxy ::1 --max-connections 100 --max-connections-per-address 7 \
             --max-opens 8 --max-opens-per-address 0 --cors-origin https://a.example --cors-origin https://b.example \
             --cors-credentials --no-client-bundle --no-jsonp",
        );
        assert!(args.no_client_bundle && args.no_jsonp);
        let limits = args.limits(None);
        for proxy in ["10.1.2.3", "::1"] {
            assert!(limits.trusted_proxies.contains(proxy.parse().unwrap()));
        }
        assert_eq!(limits.connections, NonZeroU32::new(100));
        assert_eq!(limits.connections_per_address, NonZeroU32::new(7));
        assert_eq!(limits.opens, NonZeroU32::new(8).map(Rate::per_second));
        assert_eq!(limits.opens_per_address, None);
        let CorsConfig { origins, credentials } = args.cors();
        assert_eq!(
            origins,
            CorsOrigins::Listed(vec!["https://a.example".into(), "https://b.example".into()])
        );
        assert!(credentials);
        let any = parse("--cors-origin https://a.example --cors-origin *");
        assert_eq!(any.cors().origins, CorsOrigins::Any);
    }

    #[test]
    fn what_one_client_may_ask_for_can_be_set() {
        let limits = parse(
            "--max-packets-per-session 5 --max-bytes-per-session 6 --max-rooms-per-socket 7 \
             --max-namespaces-per-session 8",
        );
        let expected = ClientLimits {
            packets_per_second: 5,
            packet_burst: 10,
            bytes_per_second: 6,
            byte_burst: 6,
            rooms: 7,
            namespaces: 8,
        };
        assert_eq!(limits.session_limits(), expected);
        let without = parse("--max-packets-per-session 0 --max-rooms-per-socket 0").session_limits();
        assert_eq!(
            (without.packet_burst, without.rooms),
            (u32::MAX, u32::MAX as usize)
        );
    }

    #[test]
    fn no_more_connections_than_descriptors() {
        for (flag, descriptors, expected) in [
            (0, Some(70), 70),
            (50, Some(70), 50),
            (90, Some(70), 70),
            (90, None, 90),
        ] {
            let args = parse(&format!("--max-connections {flag}"));
            assert_eq!(args.limits(descriptors).connections, NonZeroU32::new(expected));
        }
    }
}
