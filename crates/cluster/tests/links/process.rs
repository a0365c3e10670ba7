//! A node of these tests: membership and links in a process of their own.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    time::Duration,
};

use hither_cluster::{Incarnation, LinkLimits, MembershipTiming, NodeId};

use crate::common::{Process, Seen};

/// What a node is started with.
pub(crate) struct Settings {
    pub(crate) name: String,
    /// For gossip and links alike.
    pub(crate) address: SocketAddr,
    /// Where the others are told to dial, if not there.
    pub(crate) advertised_link: Option<SocketAddr>,
    /// Where this node dials that one, whatever it was told.
    pub(crate) detour: Option<(String, SocketAddr)>,
    pub(crate) seeds: Vec<SocketAddr>,
    pub(crate) secret: String,
    pub(crate) stall_timeout: Duration,
    pub(crate) failure_timeout: Duration,
    /// A node to link with that gossip has not told of.
    pub(crate) intrude: Option<(NodeId, SocketAddr)>,
}

impl Settings {
    pub(crate) fn new(name: &str, address: SocketAddr, seeds: &[SocketAddr]) -> Self {
        Self {
            name: name.to_owned(),
            address,
            advertised_link: None,
            detour: None,
            seeds: seeds.to_vec(),
            secret: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            stall_timeout: LinkLimits::default().stall_timeout,
            failure_timeout: MembershipTiming::default().failure_timeout,
            intrude: None,
        }
    }
}

/// A running node.
pub(crate) struct Node(Process);

impl Deref for Node {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}

impl Node {
    pub(crate) fn start(settings: &Settings) -> Self {
        Self(Process::start(
            &settings.name,
            Settings::VARIABLE,
            &settings.encode(),
        ))
    }

    pub(crate) fn id(&self) -> NodeId {
        self.until("its identity", |seen| seen.said("id "));
        let seen = self.seen();
        let line = seen
            .said
            .iter()
            .find_map(|line| line.strip_prefix("id "))
            .unwrap();
        let (name, incarnation) = line.split_once(' ').unwrap();
        NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(incarnation.parse().unwrap()),
        }
    }

    /// The one of two names that is not this node's.
    pub(crate) fn other_of<'a>(&self, one: &'a str, other: &'a str) -> &'a str {
        if self.name() == one { other } else { one }
    }

    /// Waits until the node sees these members, itself among them, and is linked with the others.
    pub(crate) fn until_linked_with_all(&self, members: &[&str]) {
        let mut members = members.to_vec();
        members.sort_unstable();
        let peers: Vec<_> = members
            .iter()
            .copied()
            .filter(|name| *name != self.name())
            .collect();
        let what = format!("members {members:?}, and a link with each");
        self.until(&what, |seen| seen.view() == members && seen.linked() == peers);
    }

    /// Bytes of memory it has now.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_figure("VmRSS:")
    }

    /// The most bytes of memory it has had.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory_figure("VmHWM:")
    }

    fn memory_figure(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// What nodes of these tests tell.
pub(crate) trait News {
    /// The members that the node sees now.
    fn view(&self) -> Vec<&str>;

    /// All views so far.
    fn views(&self) -> impl Iterator<Item = Vec<&str>>;

    /// The peers with which it is linked now.
    fn linked(&self) -> Vec<&str>;

    /// How many messages came from a peer in the present life of the link.
    fn received(&self, peer: &str) -> u64;

    /// The line of the log that tells of the last link with a peer.
    fn link_up(&self, peer: &str) -> &str;

    /// How often a link with a peer came up.
    fn links(&self, peer: &str) -> usize;

    /// How many links with a peer the log tells of. It is read beside what the node says.
    fn links_logged(&self, peer: &str) -> usize;

    /// Whether it has logged something with that in it.
    fn logged(&self, part: &str) -> bool;
}

impl News for Seen {
    fn view(&self) -> Vec<&str> {
        self.views().last().unwrap_or_default()
    }

    fn views(&self) -> impl Iterator<Item = Vec<&str>> {
        self.said
            .iter()
            .filter_map(|line| Some(line.strip_prefix("view ")?.split(' ').collect()))
    }

    fn linked(&self) -> Vec<&str> {
        let mut linked = BTreeSet::new();
        for line in &self.said {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["up", peer] => drop(linked.insert(peer)),
                ["down", peer, ..] => drop(linked.remove(peer)),
                _ => {}
            }
        }
        linked.into_iter().collect()
    }

    fn received(&self, peer: &str) -> u64 {
        let count = |line: &String| {
            line.strip_prefix("got ")?
                .strip_prefix(peer)?
                .split(' ')
                .nth(1)?
                .parse()
                .ok()
        };
        self.said.iter().rev().find_map(count).unwrap_or_default()
    }

    fn link_up(&self, peer: &str) -> &str {
        links_up(self, peer).next_back().unwrap_or_default()
    }

    fn links(&self, peer: &str) -> usize {
        let up = format!("up {peer}");
        self.said.iter().filter(|line| **line == up).count()
    }

    fn links_logged(&self, peer: &str) -> usize {
        links_up(self, peer).count()
    }

    fn logged(&self, part: &str) -> bool {
        self.log.iter().any(|line| line.contains(part))
    }
}

/// The lines of the log that tell of links with a peer.
fn links_up<'a>(seen: &'a Seen, peer: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let peer = format!(" peer={peer} ");
    let lines = seen.log.iter().map(String::as_str);
    lines.filter(move |line| line.contains("link up") && line.contains(&peer))
}
