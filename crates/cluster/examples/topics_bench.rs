//! What topics cost on three nodes, each a process of its own: publications in a second, and CPU and messages for each.
//!
//! `cargo run --release -p hither-cluster --example topics_bench` measures topics on the replicated core, and beside them those of
//! the lanes, which have no order and no copy of what is under way.

#[path = "../tests/topics/nothing.rs"]
mod nothing;

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hither_cluster::{
    ClusterConfig, ClusterNode, Hold, Listen, Listener, Producer, Secret, Told, TopicFigures, TopicSettings,
};
use tokio::{sync::Semaphore, time::interval};

use nothing::{Nothing, Payload};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NODES: [&str; 3] = ["a", "b", "c"];
const PAYLOAD: usize = 64;
const LANES: usize = 2;
/// How long to measure, and to warm up before.
const MEASURED: Duration = Duration::from_secs(4);
const WARM: Duration = Duration::from_secs(1);

/// What is measured: `replicated|lanes`, topics, publications under way on each node, publications in a second on each node
/// (0: as fast as confirmations come).
struct Case {
    replicated: bool,
    topics: usize,
    window: usize,
    rate: u64,
}

const CASES: [(&str, &str); 6] = [
    ("one topic, as fast as it goes", "replicated 1 64 0"),
    ("100 topics, as fast as it goes", "replicated 100 64 0"),
    ("100 topics, 1,024 under way a node", "replicated 100 1024 0"),
    ("100 topics, 200/s a node", "replicated 100 64 200"),
    ("100 topics, 2,000/s a node", "replicated 100 64 2000"),
    ("lanes, 100 topics, 2,000/s a node", "lanes 100 64 2000"),
];

impl FromStr for Case {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self> {
        let [kind, topics, window, rate] = text.split(' ').collect::<Vec<_>>()[..] else {
            return Err(text.into());
        };
        Ok(Self {
            replicated: kind == "replicated",
            topics: topics.parse()?,
            window: window.parse()?,
            rate: rate.parse()?,
        })
    }
}

fn main() -> Result<()> {
    match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [name, case, addresses @ ..] if addresses.len() == NODES.len() => {
            let addresses: std::result::Result<Vec<SocketAddr>, _> =
                addresses.iter().map(|at| at.parse()).collect();
            tokio::runtime::Runtime::new()?.block_on(run(name, case.parse()?, addresses?))
        }
        [only] => measure(only),
        _ => measure(""),
    }
}

/// Runs the cases whose names have that in them.
fn measure(only: &str) -> Result<()> {
    println!(
        "| topics | publications/s | µs CPU a publication | a delivery | messages a publication | bytes | turns |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (name, case) in CASES.into_iter().filter(|(name, _)| name.contains(only)) {
        let mut nodes = start(case)?;
        for node in &mut nodes {
            node.until("ready")?;
        }
        for node in &mut nodes {
            writeln!(node.process.stdin.as_mut().ok_or("no input")?, "go")?;
        }
        let mut sums = [0_u64; 6];
        for node in &mut nodes {
            let line = node.until("result")?;
            for (sum, figure) in sums.iter_mut().zip(line.split(' ').skip(1)) {
                *sum += figure.parse::<u64>()?;
            }
            node.process.kill()?;
            node.process.wait()?;
        }
        let [published, heard, cpu, sent, bytes, turns] = sums.map(|sum| sum as f64);
        println!(
            "| {name} | {:.0} | {:.1} | {:.1} | {:.2} | {:.0} | {:.2} |",
            published / MEASURED.as_secs_f64(),
            cpu / published,
            cpu / heard,
            sent / published,
            bytes / published,
            turns / published
        );
    }
    Ok(())
}

struct Node {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn until(&mut self, beginning: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err("a node has ended".into());
            }
            if line.starts_with(beginning) {
                return Ok(line.trim().to_owned());
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn start(case: &str) -> Result<Vec<Node>> {
    // Held together, so that they differ.
    let ports = NODES.map(|_| std::net::TcpListener::bind("127.0.0.1:0"));
    let mut addresses = Vec::new();
    for port in ports {
        addresses.push(port?.local_addr()?.to_string());
    }
    let start = |name: &&str| {
        let mut process = Command::new(env::current_exe()?)
            .args([*name, case])
            .args(&addresses)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Node { process, output })
    };
    NODES.iter().map(start).collect()
}

/// What one node does.
async fn run(name: &str, case: Case, addresses: Vec<SocketAddr>) -> Result<()> {
    let index = NODES
        .iter()
        .position(|node| *node == name)
        .ok_or("no such node")?;
    let heard = Arc::new(AtomicU64::new(0));
    let config = ClusterConfig {
        seeds: addresses.iter().map(ToString::to_string).collect(),
        lanes: LANES,
        topics: case.replicated.then(TopicSettings::default),
        ..ClusterConfig::new(
            name.parse()?,
            addresses[index],
            addresses[index],
            Secret::well_known(),
        )
    };
    let lane = |lane: usize| Nothing {
        subscribes: (0..case.topics)
            .filter(|topic| !case.replicated && topic % LANES == lane)
            .map(|topic| format!("t{topic}").into())
            .collect(),
        heard: heard.clone(),
    };
    let node = Arc::new(ClusterNode::start(config, lane).await?);
    node.up().await;
    let port = Arc::new(Port {
        heard: heard.clone(),
        room: Semaphore::new(case.window),
        subscribed: AtomicU64::new(0),
        published: AtomicU64::new(0),
    });
    let listener = match node.topics() {
        Some(topics) => {
            let listener = topics.listen(port.clone())?;
            for topic in 0..case.topics {
                listener.subscribe(format!("t{topic}").into(), None)?;
            }
            while port.subscribed.load(Ordering::Relaxed) < case.topics as u64 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Some(listener)
        }
        None => None,
    };
    // All three are up, and what follows upon that is done.
    while node.cluster().placement().view().up().count() < NODES.len() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("ready");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;

    let go_on = Arc::new(AtomicBool::new(true));
    let publishing = tokio::spawn(publish(
        node.clone(),
        listener,
        port.clone(),
        case,
        name.to_owned(),
        go_on.clone(),
    ));
    tokio::time::sleep(WARM).await;
    let figures = || {
        node.topics()
            .map_or(TopicFigures::default(), |topics| topics.figures())
    };
    let read = || {
        let figures = figures();
        let published = match node.topics() {
            Some(_) => figures.confirmed,
            None => port.published.load(Ordering::Relaxed),
        };
        let heard = heard.load(Ordering::Relaxed);
        Ok::<_, Box<dyn Error>>([
            published,
            heard,
            cpu()?,
            figures.sent,
            figures.sent_bytes,
            figures.turns,
        ])
    };
    let before = read()?;
    tokio::time::sleep(MEASURED).await;
    let after = read()?;
    let figures: Vec<_> = after
        .iter()
        .zip(before)
        .map(|(after, before)| (after - before).to_string())
        .collect();
    go_on.store(false, Ordering::Relaxed);
    publishing.await?;
    println!("result {}", figures.join(" "));
    std::future::pending().await
}

/// Publishes from one task: as fast as there is room, or at its rate.
async fn publish(
    node: Arc<ClusterNode<Nothing>>,
    listener: Option<Listener>,
    port: Arc<Port>,
    case: Case,
    name: String,
    go_on: Arc<AtomicBool>,
) {
    let payload = "x".repeat(PAYLOAD);
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(5));
    let mut sequence = 0;
    while go_on.load(Ordering::Relaxed) {
        let due = match case.rate {
            0 => {
                if let Ok(permit) = port.room.acquire().await {
                    permit.forget();
                }
                sequence + 1
            }
            rate => {
                ticks.tick().await;
                began.elapsed().as_millis() as u64 * rate / 1000
            }
        };
        while sequence < due {
            sequence += 1;
            let topic = format!("t{}", sequence as usize * 7 % case.topics);
            match &listener {
                Some(listener) => {
                    let (producer, payload) = (Producer::from(name.as_str()), payload.clone().into());
                    if let Err(error) = listener.publish(topic.into(), producer, sequence, payload) {
                        eprintln!("not published: {error}");
                    }
                }
                None => node.cluster().publish(topic.into(), Payload(payload.clone())),
            }
            port.published.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Counts what it hears, and makes room for more.
struct Port {
    heard: Arc<AtomicU64>,
    room: Semaphore,
    subscribed: AtomicU64,
    published: AtomicU64,
}

impl Listen for Port {
    fn told(&self, told: Vec<Told>, _hold: Hold) {
        for told in told {
            match told {
                Told::Heard { .. } => drop(self.heard.fetch_add(1, Ordering::Relaxed)),
                Told::Confirmed { .. } => self.room.add_permits(1),
                Told::Subscribed { .. } => drop(self.subscribed.fetch_add(1, Ordering::Relaxed)),
                Told::Gap { topic, .. } | Told::Lagged { topic, .. } => eprintln!("a gap in {topic:?}"),
            }
        }
    }
}

/// Microseconds of CPU that this process has taken. The kernel counts them in hundredths of a second.
fn cpu() -> Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name of a process")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<std::result::Result<u64, _>>()? * 10_000)
}
