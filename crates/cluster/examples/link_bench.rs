//! What a link costs: round trips and one-way messages between two processes on this machine.
//!
//! `cargo run --release -p hither-cluster --example link_bench`

use std::{
    env,
    error::Error,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use hither_cluster::{
    Channel, Credit, Incarnation, LinkDown, LinkEvents, LinkLimits, LinkListener, LinkSender, Links,
    LinksConfig, Member, NodeId, Phase, Secret, View,
};
use tokio::sync::{mpsc, watch};

/// The first byte of a message says what the receiver does with it.
const ECHO: u8 = b'e';
const COUNT: u8 = b'c';
const REPORT: u8 = b'r';
const REPLY: u8 = b'!';

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [here, there] => serve(here.parse()?, there.parse()?).await,
        _ => measure().await,
    }
}

/// Answers what the other process asks, until it ends.
async fn serve(here: SocketAddr, there: SocketAddr) -> Result<()> {
    let (_replies, _links, _peer, _views) = link("b", here, "a", there).await?;
    std::future::pending().await
}

async fn measure() -> Result<()> {
    let [here, there] = [free_address().await?, free_address().await?];
    let mut other = Command::new(env::current_exe()?)
        .args([there.to_string(), here.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let (mut replies, links, peer, _views) = link("a", here, "b", there).await?;
    let sender = links.sender();
    while sender.linked().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for callers in [1, 64] {
        round_trips(&sender, &peer, &mut replies, callers).await?;
    }
    for (size, count) in [(64, 2_000_000), (1 << 10, 500_000), (64 << 10, 10_000)] {
        one_way(&sender, &peer, &mut replies, size, count).await?;
    }
    links.shutdown().await;
    other.kill()?;
    other.wait()?;
    Ok(())
}

async fn round_trips(
    sender: &LinkSender,
    peer: &NodeId,
    replies: &mut mpsc::UnboundedReceiver<()>,
    callers: u32,
) -> Result<()> {
    let rounds = 20_000 * if callers > 1 { 20 } else { 1 };
    let ask = || sender.send(peer, message(ECHO, 64));
    let begin = Instant::now();
    for _ in 0..callers {
        ask()?;
    }
    for _ in callers..rounds {
        replies.recv().await;
        ask()?;
    }
    for _ in 0..callers {
        replies.recv().await;
    }
    let took = begin.elapsed();
    let (each, rate) = (took * callers / rounds, f64::from(rounds) / took.as_secs_f64());
    println!("{callers:>3} callers: {each:?} a round trip, {rate:.0}/s");
    Ok(())
}

async fn one_way(
    sender: &LinkSender,
    peer: &NodeId,
    replies: &mut mpsc::UnboundedReceiver<()>,
    size: usize,
    count: u32,
) -> Result<()> {
    let begin = Instant::now();
    for number in 0..count {
        sender.send(peer, message(COUNT, size))?;
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    sender.send(peer, message(REPORT, 64))?;
    replies.recv().await;
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    let volume = rate * size as f64 / f64::from(1 << 20);
    println!("{size:>6} bytes one way: {rate:.0}/s, {volume:.0} MiB/s");
    Ok(())
}

fn message(kind: u8, size: usize) -> Bytes {
    vec![kind; size].into()
}

async fn free_address() -> Result<SocketAddr> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

/// A link with one peer, without membership.
async fn link(
    name: &str,
    here: SocketAddr,
    peer: &str,
    there: SocketAddr,
) -> Result<(
    mpsc::UnboundedReceiver<()>,
    Links,
    NodeId,
    watch::Sender<Arc<View>>,
)> {
    let id = |name: &str| -> Result<NodeId> {
        Ok(NodeId {
            name: name.parse()?,
            incarnation: Incarnation(1),
        })
    };
    let (me, peer) = (id(name)?, id(peer)?);
    let member = |id: &NodeId, address| {
        let member = Member {
            id: id.clone(),
            phase: Phase::Up,
            http: address,
            gossip: address,
            link: address,
        };
        (id.name.clone(), member)
    };
    let members = [member(&me, here), member(&peer, there)].into();
    let (views, seen) = watch::channel(Arc::new(View {
        me: me.clone(),
        members,
    }));
    let listener = LinkListener::bind(here).await?;
    let (replies, receiver) = mpsc::unbounded_channel();
    let answerer = Answerer {
        sender: listener.sender(),
        replies,
        counted: AtomicU64::new(0),
    };
    let limits = LinkLimits {
        queue: 2 << 30,
        ..LinkLimits::default()
    };
    let config = LinksConfig {
        me,
        listener,
        secrets: Secret::well_known().into(),
        limits,
    };
    let links = Links::start(config, seen, Arc::new(answerer)).await?;
    Ok((receiver, links, peer, views))
}

struct Answerer {
    sender: LinkSender,
    replies: mpsc::UnboundedSender<()>,
    counted: AtomicU64,
}

impl LinkEvents for Answerer {
    fn link_up(&self, _peer: &NodeId) {}

    fn received(&self, peer: &NodeId, _channel: Channel, messages: Vec<Bytes>, _credit: Credit) {
        for message in messages {
            match message.first() {
                Some(&(ECHO | REPORT)) => drop(self.sender.send(peer, self::message(REPLY, message.len()))),
                Some(&REPLY) => drop(self.replies.send(())),
                _ => drop(self.counted.fetch_add(1, Ordering::Relaxed)),
            }
        }
    }

    fn link_down(&self, peer: &NodeId, reason: &LinkDown) {
        eprintln!("link to {peer} down: {reason}");
    }
}
