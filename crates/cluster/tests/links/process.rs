//! A node as the tests see it: a process that takes orders and tells what happens.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use hither_cluster::{Incarnation, LinkLimits, MembershipTiming, NodeId};

/// Far beyond what anything here takes; a test that waits that long has failed.
const DEADLINE: Duration = Duration::from_secs(30);

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

/// A running node. It is killed when dropped.
pub(crate) struct Node {
    name: String,
    process: Child,
    stdin: ChildStdin,
    told: Arc<Told>,
}

/// What a node has told so far.
#[derive(Default)]
struct Told {
    seen: Mutex<Seen>,
    more: Condvar,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    said: Vec<String>,
    log: Vec<String>,
    ended: bool,
}

impl Node {
    pub(crate) fn start(settings: &Settings) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "node", "--nocapture", "--test-threads", "1"])
            .env(Settings::VARIABLE, settings.encode())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Arc::new(Told::default());
        let stdin = process.stdin.take().unwrap();
        told.read(process.stdout.take().unwrap(), |seen, line| {
            seen.said.extend(line.strip_prefix("> ").map(str::to_owned));
        });
        told.read(process.stderr.take().unwrap(), |seen, line| seen.log.push(line));
        Self {
            name: settings.name.clone(),
            process,
            stdin,
            told,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
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
        if self.name == one { other } else { one }
    }

    pub(crate) fn order(&self, order: &str) {
        writeln!(&self.stdin, "{order}").unwrap();
    }

    pub(crate) fn seen(&self) -> Seen {
        self.told.lock().clone()
    }

    /// Waits until what the node has told meets a condition.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = self.told.lock();
        while !condition(&seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.ended, "{}: waited for {what}", self.name);
            seen = self.told.more.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until the node sees these members, itself among them, and is linked with the others.
    pub(crate) fn until_linked_with_all(&self, members: &[&str]) {
        let mut members = members.to_vec();
        members.sort_unstable();
        let peers: Vec<_> = members
            .iter()
            .copied()
            .filter(|name| *name != self.name)
            .collect();
        let what = format!("members {members:?}, and a link with each");
        self.until(&what, |seen| seen.view() == members && seen.linked() == peers);
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    pub(crate) fn stop(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
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
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.told.lock().tail());
        }
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A failed expectation panics with the lock in hand.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        self: &Arc<Self>,
        from: impl Read + Send + 'static,
        take: impl Fn(&mut Seen, String) + Send + 'static,
    ) {
        let told = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                take(&mut told.lock(), line);
                told.more.notify_all();
            }
            told.lock().ended = true;
            told.more.notify_all();
        });
    }
}

impl Seen {
    /// The members that the node sees now.
    pub(crate) fn view(&self) -> Vec<&str> {
        self.views().last().unwrap_or_default()
    }

    /// All views so far.
    pub(crate) fn views(&self) -> impl Iterator<Item = Vec<&str>> {
        self.said
            .iter()
            .filter_map(|line| Some(line.strip_prefix("view ")?.split(' ').collect()))
    }

    /// The peers with which it is linked now.
    pub(crate) fn linked(&self) -> Vec<&str> {
        let mut linked = std::collections::BTreeSet::new();
        for line in &self.said {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["up", peer] => drop(linked.insert(peer)),
                ["down", peer, ..] => drop(linked.remove(peer)),
                _ => {}
            }
        }
        linked.into_iter().collect()
    }

    /// How many messages came from a peer in the present life of the link.
    pub(crate) fn received(&self, peer: &str) -> u64 {
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

    /// Whether it has said something that begins so.
    pub(crate) fn said(&self, beginning: &str) -> bool {
        self.said.iter().any(|line| line.starts_with(beginning))
    }

    /// The line of the log that tells of the last link with a peer.
    pub(crate) fn link_up(&self, peer: &str) -> &str {
        links_up(self, peer).next_back().unwrap_or_default()
    }

    /// How often a link with a peer came up.
    pub(crate) fn links(&self, peer: &str) -> usize {
        let up = format!("up {peer}");
        self.said.iter().filter(|line| **line == up).count()
    }

    /// How many links with a peer the log tells of. It is read beside what the node says.
    pub(crate) fn links_logged(&self, peer: &str) -> usize {
        links_up(self, peer).count()
    }

    /// Whether it has logged something with that in it.
    pub(crate) fn logged(&self, part: &str) -> bool {
        self.log.iter().any(|line| line.contains(part))
    }

    fn tail(&self) -> String {
        let tail = |lines: &[String]| lines[lines.len().saturating_sub(30)..].join("\n");
        format!(
            "--- it said\n{}\n--- it logged\n{}",
            tail(&self.said),
            tail(&self.log)
        )
    }
}

/// The lines of the log that tell of links with a peer.
fn links_up<'a>(seen: &'a Seen, peer: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let peer = format!(" peer={peer} ");
    let lines = seen.log.iter().map(String::as_str);
    lines.filter(move |line| line.contains("link up") && line.contains(&peer))
}
