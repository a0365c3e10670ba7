//! What membership is started with, and what may be wrong with it.

use std::{io, net::SocketAddr, time::Duration};

use crate::{member::NodeId, secret::Secrets};

/// What a node tells the others about itself, where it listens, and whom it asks first.
#[derive(Clone, Debug)]
pub struct MembershipConfig {
    /// This life of this node.
    pub me: NodeId,
    /// Where clients reach it.
    pub http: SocketAddr,
    /// Where it listens for gossip (UDP); port 0 takes a free one.
    pub gossip_bind: SocketAddr,
    /// Where the others reach its gossip, if that is not where it listens. Port 0 is the port it listens at.
    pub gossip_advertise: Option<SocketAddr>,
    /// Where the others reach its links (TCP).
    pub link: SocketAddr,
    /// `host:port` of nodes that may be there already. Names are resolved again and again; a seed may be down, or be
    /// the node itself.
    pub seeds: Vec<String>,
    /// The cluster's secrets.
    pub secrets: Secrets,
    /// How many shards the cluster has; all nodes must agree.
    pub shards: u32,
    /// How fast news travels and silence is noticed.
    pub timing: MembershipTiming,
}

/// How fast news travels and silence is noticed. Nodes of one cluster should agree, but need not.
#[derive(Clone, Debug)]
pub struct MembershipTiming {
    /// Between two rounds of gossip. Each costs a few datagrams.
    pub gossip_interval: Duration,
    /// How long a member may be silent before it counts as lost. Too short, and a busy machine loses members that live.
    pub failure_timeout: Duration,
    /// How long a suspected member may be silent before it counts as lost.
    pub suspicion_confirm: Duration,
}

impl Default for MembershipTiming {
    /// A killed process is noticed within 1 s, a silent one within 5 s.
    fn default() -> Self {
        Self {
            gossip_interval: Duration::from_millis(100),
            failure_timeout: Duration::from_secs(4),
            suspicion_confirm: Duration::from_millis(500),
        }
    }
}

/// Why membership cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The gossip port cannot be opened.
    #[error("cannot listen for gossip at UDP {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The others could not reach this node at that address.
    #[error(
        "{address} is nothing that others can send {what} to: say which address of this machine they can"
    )]
    Unreachable {
        /// What they would send.
        what: &'static str,
        /// The address they would be told.
        address: SocketAddr,
    },
    /// A socket of one address family cannot reach the other.
    #[error(
        "gossip listens at {bind} but would be advertised as {advertise}: use two IPv4 or two IPv6 addresses"
    )]
    MixedFamilies {
        /// Where it listens.
        bind: SocketAddr,
        /// What the others would be told.
        advertise: SocketAddr,
    },
    /// The node would do nothing but gossip.
    #[error("gossip every {0:?} is too often: every 10 ms is often enough for any cluster")]
    TooOften(Duration),
    /// Silence would be noticed between two heartbeats.
    #[error(
        "{what} of {timeout:?} is too short for gossip every {interval:?}: it must be at least {} times as long",
        MembershipTiming::ROUNDS
    )]
    TooShort {
        /// The timeout's name.
        what: &'static str,
        /// Its length.
        timeout: Duration,
        /// The gossip interval.
        interval: Duration,
    },
    /// Chitchat did not start.
    #[error("cannot start gossip: {0}")]
    Gossip(String),
}

impl MembershipTiming {
    /// How many rounds of gossip the shortest timeout must span: a heartbeat may be lost, and come by way of another.
    const ROUNDS: u32 = 4;

    const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

    fn check(&self) -> Result<(), MembershipError> {
        let Self {
            gossip_interval: interval,
            failure_timeout,
            suspicion_confirm,
        } = *self;
        if interval < Self::SHORTEST_INTERVAL {
            return Err(MembershipError::TooOften(interval));
        }
        let timeouts = [
            ("a failure timeout", failure_timeout),
            ("a suspicion confirm time", suspicion_confirm),
        ];
        match timeouts
            .into_iter()
            .find(|(_, timeout)| *timeout < interval * Self::ROUNDS)
        {
            Some((what, timeout)) => Err(MembershipError::TooShort {
                what,
                timeout,
                interval,
            }),
            None => Ok(()),
        }
    }
}

impl MembershipConfig {
    /// Checks what can be checked before the gossip port is open.
    pub(super) fn check(&self) -> Result<(), MembershipError> {
        self.timing.check()?;
        if self.link.ip().is_unspecified() || self.link.port() == 0 {
            return Err(MembershipError::Unreachable {
                what: "links",
                address: self.link,
            });
        }
        Ok(())
    }

    /// What the others are told, for a gossip port that is open at `bound`.
    pub(super) fn advertised_gossip(&self, bound: SocketAddr) -> Result<SocketAddr, MembershipError> {
        let mut address = self.gossip_advertise.unwrap_or(bound);
        if address.port() == 0 {
            address.set_port(bound.port());
        }
        if address.ip().is_unspecified() {
            return Err(MembershipError::Unreachable {
                what: "gossip",
                address,
            });
        }
        if address.is_ipv4() != bound.is_ipv4() {
            return Err(MembershipError::MixedFamilies {
                bind: bound,
                advertise: address,
            });
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{member::Incarnation, secret::Secret};

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn config() -> MembershipConfig {
        MembershipConfig {
            me: NodeId {
                name: "node1".parse().unwrap(),
                incarnation: Incarnation(1),
            },
            http: address("0.0.0.0:9001"),
            gossip_bind: address("0.0.0.0:7001"),
            gossip_advertise: None,
            link: address("10.0.0.1:7001"),
            seeds: Vec::new(),
            secrets: Secret::well_known().into(),
            shards: 64,
            timing: MembershipTiming::default(),
        }
    }

    #[test]
    fn the_advertised_address_must_be_one_that_others_can_reach() {
        let mut config = config();
        let bound = address("0.0.0.0:7001");
        assert!(matches!(
            config.advertised_gossip(bound),
            Err(MembershipError::Unreachable { what: "gossip", .. })
        ));
        config.gossip_advertise = Some(address("10.0.0.1:0"));
        assert_eq!(config.advertised_gossip(bound).unwrap(), address("10.0.0.1:7001"));
        config.gossip_advertise = Some(address("[2001:db8::1]:7001"));
        assert!(matches!(
            config.advertised_gossip(bound),
            Err(MembershipError::MixedFamilies { .. })
        ));
        assert!(config.check().is_ok());
        config.link = bound;
        assert!(matches!(
            config.check(),
            Err(MembershipError::Unreachable { what: "links", .. })
        ));
    }

    #[test]
    fn timeouts_must_span_several_rounds() {
        let mut config = config();
        config.timing.suspicion_confirm = Duration::from_millis(399);
        let error = config.check().unwrap_err().to_string();
        assert!(
            error.contains("suspicion confirm time of 399ms") && error.contains("4 times"),
            "{error}"
        );
        config.timing.suspicion_confirm = Duration::from_millis(400);
        assert!(config.check().is_ok());
        config.timing.failure_timeout = Duration::from_millis(1);
        assert!(config.check().is_err());
        config.timing.gossip_interval = Duration::ZERO;
        assert!(matches!(config.check(), Err(MembershipError::TooOften(_))));
    }
}
