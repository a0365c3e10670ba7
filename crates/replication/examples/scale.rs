//! What the replicated core costs in clusters of 3 to 1,000 nodes: messages for a publication, a subscription, a client
//! with a room of its own, a death and a join, and the memory that topics take.
//!
//! All nodes run in this process, on the library's own code. A message takes one millisecond of simulated time; deaths are
//! known to all at once, since finding them out is not this crate's part.
//!
//! `cargo run --release -p hither-replication --example scale [NODES|topics]` measures a cluster of so many nodes, or what
//! topics take, or all, as in `RESULTS.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a model may stop where it is wrong"
)]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use hither_replication::{
    Application, Core, Input, Lease, Message, NodeId, Output, Settings, ShardId, Target, View,
};

const SHARDS: u32 = 1024;
const LATENCY: Duration = Duration::from_millis(1);

enum Rooms {}

impl Application for Rooms {
    type State = u64;
    type Record = u64;
    type Payload = [[u8; 32]; 2];
    type Topic = u32;
    type Producer = u32;

    fn record_size(_: &u64) -> usize {
        8
    }

    fn payload_size(payload: &[[u8; 32]; 2]) -> usize {
        size_of_val(payload)
    }

    fn apply(state: &mut u64, record: &u64) {
        *state = state.wrapping_add(*record);
    }
}

/// Where a topic lives.
fn shard_of(topic: u32) -> ShardId {
    ShardId(topic.wrapping_mul(0x9E37_79B9) % SHARDS)
}

/// The first and second of the members in a shard's rendezvous order.
fn target(members: &[(u64, NodeId)], shard: ShardId) -> Target {
    let weight = |number: u64| {
        let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ u64::from(shard.0 + 1).wrapping_mul(0xC2B2_AE3D);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
    };
    let mut best: [Option<(u64, &NodeId)>; 2] = [None, None];
    for (number, node) in members {
        let weighed = Some((weight(*number), node));
        if best[0] < weighed {
            best = [weighed, best[0]];
        } else if best[1] < weighed {
            best[1] = weighed;
        }
    }
    let [holder, standby] = best.map(|best| best.map(|(_, node)| node.clone()));
    Target { holder, standby }
}

/// A cluster in one process.
struct Cluster {
    cores: BTreeMap<NodeId, Core<Rooms>>,
    members: Vec<(u64, NodeId)>,
    now: Duration,
    on_the_way: BinaryHeap<Reverse<(Duration, u64)>>,
    messages: BTreeMap<u64, (NodeId, NodeId, Message<Rooms>)>,
    sent: u64,
    /// What was put out besides messages.
    confirmed: u64,
    delivered: u64,
}

impl Cluster {
    fn new(nodes: u64) -> Self {
        let members: Vec<(u64, NodeId)> = (0..nodes).map(|number| (number, node(number))).collect();
        let cores = members
            .iter()
            .map(|(_, node)| (node.clone(), core(node)))
            .collect();
        let mut cluster = Self {
            cores,
            members,
            now: Duration::ZERO,
            on_the_way: BinaryHeap::new(),
            messages: BTreeMap::new(),
            sent: 0,
            confirmed: 0,
            delivered: 0,
        };
        cluster.see();
        cluster
    }

    /// All nodes see the members of now.
    fn see(&mut self) {
        let targets: Vec<(ShardId, Target)> = (0..SHARDS)
            .map(|shard| (ShardId(shard), target(&self.members, ShardId(shard))))
            .collect();
        let members: Vec<NodeId> = self.members.iter().map(|(_, node)| node.clone()).collect();
        for node in &members {
            let view = View::new(members.iter().cloned(), targets.iter().cloned());
            self.give(node, Input::View(view));
        }
        self.settle();
    }

    fn give(&mut self, to: &NodeId, input: Input<Rooms>) {
        let Some(core) = self.cores.get_mut(to) else {
            return;
        };
        let outputs = core.handle(input, self.now);
        self.perform(to, outputs);
    }

    fn perform(&mut self, from: &NodeId, outputs: Vec<Output<Rooms>>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => {
                    self.sent += 1;
                    self.on_the_way.push(Reverse((self.now + LATENCY, self.sent)));
                    self.messages.insert(self.sent, (from.clone(), to, message));
                }
                Output::Confirmed { .. } => self.confirmed += 1,
                Output::Deliver { .. } => self.delivered += 1,
                _ => {}
            }
        }
    }

    /// Lets time pass until no message is on its way. Returns how long that took.
    fn settle(&mut self) -> Duration {
        let begun = self.now;
        while let Some(Reverse((at, number))) = self.on_the_way.pop() {
            self.now = at;
            let (from, to, message) = self.messages.remove(&number).unwrap();
            self.give(&to, Input::Message { from, message });
        }
        self.now - begun
    }

    /// How many messages something takes.
    fn cost(&mut self, what: impl FnOnce(&mut Self)) -> u64 {
        let before = self.sent;
        what(self);
        self.settle();
        self.sent - before
    }

    fn member(&self, number: usize) -> NodeId {
        self.members[number % self.members.len()].1.clone()
    }

    fn subscribe(&mut self, node: &NodeId, topic: u32) {
        self.give(
            node,
            Input::Subscribe {
                shard: shard_of(topic),
                topic,
                from: None,
            },
        );
    }

    fn publish(&mut self, node: &NodeId, topic: u32, sequence: u64) {
        self.give(
            node,
            Input::Publish {
                shard: shard_of(topic),
                topic,
                producer: topic,
                sequence,
                payload: [[0; 32]; 2],
            },
        );
    }

    fn holder(&self, shard: ShardId) -> Option<NodeId> {
        let core = self.cores.values().next()?;
        core.claim(shard).map(|claim| claim.holder().clone())
    }

    /// Whether every shard is held by the node that should.
    fn is_placed(&self) -> bool {
        (0..SHARDS).map(ShardId).all(|shard| {
            let target = target(&self.members, shard).holder.unwrap();
            self.cores[&target].state(shard).is_some()
        })
    }

    /// Ticks until every shard has its holder. Returns how long that took.
    fn place(&mut self) -> Duration {
        let begun = self.now;
        self.settle();
        while !self.is_placed() {
            let due = self
                .cores
                .iter()
                .filter_map(|(node, core)| Some((core.deadline()?, node.clone())));
            let (at, node) = due
                .min()
                .expect("a shard without a holder, and nobody to wait for");
            self.now = self.now.max(at);
            self.give(&node, Input::Tick);
            self.settle();
        }
        self.now - begun
    }
}

fn node(number: u64) -> NodeId {
    NodeId::new(format!("n{number}"), 1)
}

fn core(node: &NodeId) -> Core<Rooms> {
    Core::new(node.clone(), (0..SHARDS).map(ShardId), Settings::default())
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn main() {
    match env::args().nth(1).as_deref() {
        Some("topics") => topics(),
        Some(nodes) => measure(nodes.parse().unwrap()),
        None => measure_all(),
    }
}

/// Each in a process of its own: what one has given back is not what the next one takes.
fn measure_all() {
    println!("{SHARDS} shards; messages are counted, times are of a network that takes 1 ms for each\n");
    println!(
        "| nodes | subscribe | publish to 1 node | to 10 nodes | client with a room of its own | lease | death: messages a node | until all is held | join: messages a node | KiB a node |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for part in ["3", "10", "50", "200", "1000", "topics"] {
        let status = Command::new(env::current_exe().unwrap())
            .arg(part)
            .status()
            .unwrap();
        assert!(status.success(), "{part}: {status}");
    }
}

fn measure(nodes: u64) {
    let before = resident_bytes();
    let mut cluster = Cluster::new(nodes);
    cluster.place();
    let memory = resident_bytes().saturating_sub(before) / 1024 / nodes;

    let mut topic = 0;
    // Neither who subscribes nor who publishes holds the topic, or stands by, where there are enough nodes.
    let far = |cluster: &Cluster, topic: u32| {
        let target = target(&cluster.members, shard_of(topic));
        let named: BTreeSet<NodeId> = target.holder.into_iter().chain(target.standby).collect();
        let others: Vec<NodeId> = cluster
            .members
            .iter()
            .map(|(_, node)| node.clone())
            .filter(|node| !named.contains(node))
            .collect();
        others
    };
    let others = far(&cluster, topic);
    let subscribe = cluster.cost(|cluster| cluster.subscribe(&others[0], topic));
    let publish = cluster.cost(|cluster| cluster.publish(&others[others.len() - 1], topic, 1));
    assert_eq!((cluster.confirmed, cluster.delivered), (1, 1));

    topic += 1;
    let others = far(&cluster, topic);
    for node in others.iter().take(10) {
        cluster.subscribe(node, topic);
    }
    cluster.settle();
    let publish_to_ten = cluster.cost(|cluster| cluster.publish(&others[others.len() - 1], topic, 1));

    // A session is a record of its shard; its room is a topic to which its node subscribes.
    topic += 1;
    let shard = shard_of(topic + 1);
    let home = cluster.holder(shard).unwrap();
    let connect = cluster.cost(|cluster| {
        let core = cluster.cores.get_mut(&home).unwrap();
        let (_, outputs) = core.record(shard, 1, cluster.now).unwrap();
        cluster.perform(&home, outputs);
        cluster.subscribe(&home, topic);
    });
    let lease = cluster.cost(|cluster| {
        let core = cluster.cores.get_mut(&home).unwrap();
        let (lease, outputs) = core.lease(shard, cluster.now).unwrap();
        assert_eq!(lease, Lease::Pending);
        cluster.perform(&home, outputs);
    });

    let dead = cluster.member(1);
    cluster.members.retain(|(_, node)| *node != dead);
    cluster.cores.remove(&dead);
    let sent = cluster.sent;
    let begun = cluster.now;
    cluster.see();
    cluster.place();
    let (death, outage) = ((cluster.sent - sent) / nodes, cluster.now - begun);

    let number = nodes;
    cluster.members.push((number, node(number)));
    cluster.cores.insert(node(number), core(&node(number)));
    let sent = cluster.sent;
    for (_, other) in cluster.members.clone() {
        cluster.give(&other, Input::LinkReset(node(number)));
    }
    cluster.see();
    cluster.place();
    let join = (cluster.sent - sent) / nodes;
    println!(
        "| {nodes} | {subscribe} | {publish} | {publish_to_ten} | {connect} | {lease} | {death} | {outage:?} | {join} | {memory} |"
    );
}

/// What a million topics cost that one node hears, and that were published to once.
fn topics() {
    const TOPICS: u32 = 1_000_000;
    let mut cluster = Cluster::new(3);
    cluster.place();
    let before = resident_bytes();
    let begun = Instant::now();
    for topic in 0..TOPICS {
        let node = cluster.member(topic as usize);
        cluster.subscribe(&node, topic);
        cluster.settle();
    }
    let subscribed = resident_bytes() - before;
    println!(
        "\n{TOPICS} topics, each heard by one of three nodes: {} bytes a topic on all three, {:.1} µs of one core each",
        subscribed / u64::from(TOPICS),
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(TOPICS),
    );
    let begun = Instant::now();
    for topic in 0..TOPICS {
        let node = cluster.member(topic as usize + 1);
        cluster.publish(&node, topic, 1);
        cluster.settle();
    }
    println!(
        "published to once each: {} bytes a topic, {:.1} µs of one core each for all of the way",
        (resident_bytes() - before) / u64::from(TOPICS),
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(TOPICS),
    );
    assert_eq!(
        (cluster.confirmed, cluster.delivered),
        (u64::from(TOPICS), u64::from(TOPICS))
    );
}
