//! Finding the cluster, and finding it again: greets seeds, and members that were lost, until they are in the view.
//!
//! Chitchat does resolve seeds by itself, but looks again only after a minute, and it forgets the dead in the end;
//! after a long partition nobody might be left who greets the other side.
//!
//! Seeds that stay away are asked over TCP, where links are, what keeps them away ([`Absences`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use chitchat::ChitchatHandle;
use tokio::{
    net::lookup_host,
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use super::absences::{Absences, other_versions};
use crate::{
    links::Inquirer,
    member::{NodeId, View},
    secret::Secrets,
    version::WireVersions,
};

/// How often the missing are greeted: eagerly while alone, else to heal partitions.
const GREET_ALONE: Duration = Duration::from_millis(250);
const GREET: Duration = Duration::from_secs(2);

/// How often names are resolved.
const RESOLVE_ALONE: Duration = Duration::from_secs(2);
const RESOLVE: Duration = Duration::from_secs(30);

/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long, and how many, lost members are greeted: a day is the longest partition that heals without a seed.
const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);
const REMEMBERED: usize = 64;

/// A seed whose build has no version in common with this one, and what that speaks.
pub(super) type ForeignSeed = Option<(SocketAddr, WireVersions)>;

/// Looks for the cluster.
pub(super) struct Seeker {
    seeds: Vec<Seed>,
    own: SocketAddr,
    absences: Absences,
}

impl Seeker {
    /// Looks for these seeds, in the name of `me`, whose gossip is at `own`.
    pub(super) fn new(seeds: Vec<String>, own: SocketAddr, me: NodeId, secrets: Secrets) -> Self {
        Self {
            seeds: seeds.into_iter().map(Seed::new).collect(),
            own,
            absences: Absences::new(Inquirer::new(me, secrets)),
        }
    }

    /// Greets whoever is missing. Never returns, unless gossip has ended.
    pub(super) async fn run(
        mut self,
        views: watch::Receiver<Arc<View>>,
        gossip: Arc<ChitchatHandle>,
        foreign: watch::Sender<ForeignSeed>,
    ) {
        let own = self.own;
        let mut memory = Memory::default();
        let mut resolved: Option<Instant> = None;
        let mut greeted: Option<Instant> = None;
        // "localhost" may be ::1, too, where a socket for IPv4 cannot send.
        let reachable = |address: &SocketAddr| *address != own && address.is_ipv4() == own.is_ipv4();
        let mut ticks = interval(GREET_ALONE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some((address, answer)) = self.absences.answer() => {
                    let is_heard = match &answer {
                        Ok(id) => is_heard(&gossip, id).await,
                        Err(_) => false,
                    };
                    if let Some(theirs) = other_versions(&answer) {
                        foreign.send_replace(Some((address, theirs)));
                    }
                    self.absences.explain(address, answer, is_heard);
                    continue;
                }
            }
            let view = views.borrow().clone();
            let alone = view.members.len() == 1;
            let due =
                |last: Option<Instant>, every: Duration| last.is_none_or(|last| last.elapsed() >= every);

            if due(resolved, if alone { RESOLVE_ALONE } else { RESOLVE }) {
                for seed in &mut self.seeds {
                    seed.resolve().await;
                }
                resolved = Some(Instant::now());
            }
            let present: BTreeSet<_> = view.members.values().map(|member| member.gossip).collect();
            memory.remember(&present);
            if due(greeted, if alone { GREET_ALONE } else { GREET }) {
                let is_missing = |address: &SocketAddr| reachable(address) && !present.contains(address);
                let known = self
                    .seeds
                    .iter()
                    .flat_map(|seed| &seed.addresses)
                    .chain(memory.lost());
                let missing: BTreeSet<_> = known.copied().filter(is_missing).collect();
                for address in missing {
                    if gossip.gossip(address).is_err() {
                        // Chitchat has ended, which the driver reports.
                        return;
                    }
                }
                let seeds = self.seeds.iter().flat_map(|seed| {
                    let addresses = seed.addresses.iter().copied().filter(is_missing);
                    addresses.map(|address| (address, seed.name.as_str()))
                });
                self.absences.are_missing(seeds);
                greeted = Some(Instant::now());
            }
        }
    }
}

/// Whether gossip tells of a node, whatever it tells.
async fn is_heard(gossip: &ChitchatHandle, node: &NodeId) -> bool {
    let chitchat = gossip.chitchat();
    let chitchat = chitchat.lock().await;
    let mut ids = chitchat.node_states().keys();
    ids.any(|id| *id.node_id == *node.name.as_str() && id.generation_id == node.incarnation.0)
}

/// `host:port` of a node that may be there.
struct Seed {
    name: String,
    addresses: Vec<SocketAddr>,
    /// Whether the log knows that it cannot be resolved now.
    failing: bool,
}

impl Seed {
    fn new(name: String) -> Self {
        Self {
            name,
            addresses: Vec::new(),
            failing: false,
        }
    }

    /// Looks the name up; when that fails, the addresses known so far stay.
    async fn resolve(&mut self) {
        let lookup = match timeout(RESOLVE_TIMEOUT, lookup_host(&self.name)).await {
            Ok(Ok(addresses)) => Ok(addresses.collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {RESOLVE_TIMEOUT:?}")),
        };
        match lookup {
            Ok(addresses) => {
                if std::mem::take(&mut self.failing) {
                    info!(seed = self.name, "seed resolves again");
                }
                self.addresses = addresses;
            }
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                warn!(
                    seed = self.name,
                    error, "cannot resolve seed, and will keep trying"
                );
            }
            Err(_) => {}
        }
    }
}

/// Addresses of members, and when each was last in the view.
#[derive(Default)]
struct Memory(BTreeMap<SocketAddr, Instant>);

impl Memory {
    fn remember(&mut self, present: &BTreeSet<SocketAddr>) {
        let now = Instant::now();
        self.0.extend(present.iter().map(|address| (*address, now)));
        self.0.retain(|_, seen| now.duration_since(*seen) < REMEMBER);
        while self.0.len() > REMEMBERED.max(present.len()) {
            let oldest = self
                .0
                .iter()
                .min_by_key(|(_, seen)| **seen)
                .map(|(address, _)| *address);
            oldest.and_then(|address| self.0.remove(&address));
        }
    }

    fn lost(&self) -> impl Iterator<Item = &SocketAddr> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(ports: std::ops::Range<u16>) -> BTreeSet<SocketAddr> {
        ports.map(|port| ([10, 0, 0, 1], port).into()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_lost_are_remembered_for_a_day() {
        let mut memory = Memory::default();
        memory.remember(&addresses(1..3));
        tokio::time::advance(REMEMBER / 2).await;
        memory.remember(&addresses(1..2));
        assert_eq!(memory.lost().count(), 2);
        tokio::time::advance(REMEMBER / 2).await;
        memory.remember(&addresses(1..2));
        assert_eq!(memory.lost().copied().collect::<BTreeSet<_>>(), addresses(1..2));
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_the_latest_are_remembered() {
        let mut memory = Memory::default();
        for port in 1..200 {
            memory.remember(&addresses(port..port + 1));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(
            memory.lost().copied().collect::<BTreeSet<_>>(),
            addresses(200 - REMEMBERED as u16..200)
        );
        memory.remember(&addresses(1..100));
        assert_eq!(memory.lost().count(), 99);
    }

    #[tokio::test]
    async fn names_and_addresses_resolve_and_a_failure_keeps_what_was_known() {
        let mut seed = Seed::new("localhost:7001".to_owned());
        seed.resolve().await;
        assert!(
            seed.addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 7001)
        );
        assert!(!seed.addresses.is_empty());
        let known = seed.addresses.clone();
        seed.name = "no port".to_owned();
        seed.resolve().await;
        assert!(seed.failing);
        assert_eq!(seed.addresses, known);
    }
}
