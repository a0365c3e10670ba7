//! A model of a large cluster: where a million sessions live on 1,000 nodes, how many move when a node comes or goes, and
//! how long news takes to reach everybody.
//!
//! Placement is the library's own code. News is modelled: rounds of the gossip that chitchat does (each node exchanges
//! all it knows with three live nodes a round, once every 100 ms; a fourth exchange with a seed or a dead node is left
//! out), without loss, without the limit of a datagram, all nodes in step. Detection of a death comes before that and is
//! not part of the model.
//!
//! `cargo run --release -p hither-cluster --example model [nodes [sessions]]`

#![allow(clippy::unwrap_used, reason = "a model may stop where it is wrong")]

use std::{
    collections::{BTreeMap, HashMap},
    env,
    net::Ipv4Addr,
    sync::Arc,
    time::Instant,
};

use hither_cluster::{
    Incarnation, Key, Member, NodeId, NodeName, Phase, Placement, ShardCount, ShardId, View,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How many nodes one node exchanges news with per round, and how many rounds there are per second.
const FAN_OUT: usize = 3;
const ROUNDS_PER_SECOND: f64 = 10.0;

fn main() {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse().unwrap());
    let nodes: usize = arguments.next().unwrap_or(1000);
    let sessions: usize = arguments.next().unwrap_or(1_000_000);
    let keys: Vec<Key> = (0..sessions)
        .map(|number| format!("session-{number}").into())
        .collect();
    println!("{nodes} nodes, {sessions} sessions\n");
    for shards in [1024, 16_384, 65_536] {
        places(nodes, &keys, shards.try_into().unwrap());
    }
    spreads(nodes);
}

/// Reports balance and movement with so many shards.
fn places(nodes: usize, keys: &[Key], shards: ShardCount) {
    let view = view(0..nodes);
    let begun = Instant::now();
    let placement = Placement::new(view, shards);
    let taken = begun.elapsed();
    println!("{} shards: placed in {taken:.1?}", shards.get());

    let sessions_of: Vec<usize> = {
        let mut counts = vec![0; shards.get() as usize];
        keys.iter()
            .for_each(|key| counts[shards.shard_of(key).0 as usize] += 1);
        counts
    };
    let owned = |shard: ShardId| placement.owner(shard);
    let kept = |shard: ShardId| placement.standby(shard);
    let each = |_: ShardId| 1;
    let sessions = |shard: ShardId| sessions_of[shard.0 as usize];
    println!("  shards per owner     {}", Balance::of(&placement, owned, each));
    println!("  shards per standby   {}", Balance::of(&placement, kept, each));
    println!(
        "  sessions per owner   {}",
        Balance::of(&placement, owned, sessions)
    );
    println!(
        "  sessions per standby {}",
        Balance::of(&placement, kept, sessions)
    );

    let moved = |to: &Placement| -> usize {
        shards
            .iter()
            .filter(|shard| placement.owner(*shard) != to.owner(*shard))
            .map(sessions)
            .sum()
    };
    let sample = || (0..nodes).step_by((nodes / 20).max(1));
    let left: Vec<usize> = sample()
        .map(|gone| moved(&Placement::new(view_without(nodes, gone), shards)))
        .collect();
    let joined: Vec<usize> = sample()
        .map(|number| {
            let joiner = nodes + number;
            moved(&Placement::new(self::view((0..nodes).chain([joiner])), shards))
        })
        .collect();
    report_movement("one leaves", &left, keys.len(), nodes);
    report_movement("one joins", &joined, keys.len(), nodes + 1);
    println!();
}

fn report_movement(what: &str, moved: &[usize], sessions: usize, nodes: usize) {
    let share = moved.iter().sum::<usize>() as f64 / moved.len() as f64 / sessions as f64;
    println!(
        "  {what}: {:.3} % of the sessions move on average of {} trials, {} to {}; ideal {:.3} %",
        share * 100.0,
        moved.len(),
        moved.iter().min().unwrap(),
        moved.iter().max().unwrap(),
        100.0 / nodes as f64
    );
}

/// How evenly something is spread over nodes.
struct Balance {
    least: usize,
    most: usize,
    mean: f64,
    deviation: f64,
}

impl Balance {
    fn of<'a>(
        placement: &'a Placement,
        node_of: impl Fn(ShardId) -> Option<&'a NodeId>,
        weight: impl Fn(ShardId) -> usize,
    ) -> Self {
        let mut counts: HashMap<&NodeId, usize> =
            placement.view().up().map(|member| (&member.id, 0)).collect();
        for shard in placement.shards().iter() {
            if let Some(count) = node_of(shard).and_then(|node| counts.get_mut(node)) {
                *count += weight(shard);
            }
        }
        let mean = counts.values().sum::<usize>() as f64 / counts.len() as f64;
        let square = |count: &usize| (*count as f64 - mean).powi(2);
        Self {
            least: *counts.values().min().unwrap(),
            most: *counts.values().max().unwrap(),
            mean,
            deviation: (counts.values().map(square).sum::<f64>() / counts.len() as f64).sqrt(),
        }
    }
}

impl std::fmt::Display for Balance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "least {:6}, most {:6}, mean {:8.1}, standard deviation {:.1} ({:.0} % of the mean)",
            self.least,
            self.most,
            self.mean,
            self.deviation,
            self.deviation / self.mean * 100.0
        )
    }
}

/// Reports in how many rounds all nodes know what one node knew.
fn spreads(nodes: usize) {
    let mut rounds: Vec<usize> = (0..100).map(|seed| rounds_to_all(nodes, seed)).collect();
    rounds.sort_unstable();
    let (median, most) = (rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
    println!(
        "news of one node reaches all in {median} rounds ({:.1} s) in the median of {} trials, {most} ({:.1} s) at most",
        median as f64 / ROUNDS_PER_SECOND,
        rounds.len(),
        most as f64 / ROUNDS_PER_SECOND
    );
}

fn rounds_to_all(nodes: usize, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut knows = vec![false; nodes];
    knows[0] = true;
    let mut rounds = 0;
    while !knows.iter().all(|known| *known) {
        rounds += 1;
        let before = knows.clone();
        for node in 0..nodes {
            for _ in 0..FAN_OUT.min(nodes - 1) {
                let peer = (node + random.random_range(1..nodes)) % nodes;
                // An exchange goes both ways.
                knows[peer] |= before[node];
                knows[node] |= before[peer];
            }
        }
    }
    rounds
}

fn view_without(nodes: usize, gone: usize) -> Arc<View> {
    view((0..nodes).filter(|number| *number != gone))
}

fn view(numbers: impl IntoIterator<Item = usize>) -> Arc<View> {
    let members: BTreeMap<NodeName, Member> = numbers
        .into_iter()
        .map(|number| {
            let name: NodeName = format!("node{number}").parse().unwrap();
            let address = (Ipv4Addr::LOCALHOST, 1).into();
            let id = NodeId {
                name: name.clone(),
                incarnation: Incarnation(1),
            };
            let member = Member {
                id,
                phase: Phase::Up,
                http: address,
                gossip: address,
                link: address,
            };
            (name, member)
        })
        .collect();
    let me = members.values().next().unwrap().id.clone();
    Arc::new(View { me, members })
}
