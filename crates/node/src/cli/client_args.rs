//! The flags that say how much clients may do.

use std::num::NonZeroU32;

use clap::Args;
use hither::{AdmissionLimits, CorsConfig, CorsOrigins, Rate, TrustedProxies};

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
