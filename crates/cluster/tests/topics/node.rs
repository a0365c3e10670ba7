//! What a node of these tests runs: it listens to all topics, publishes to them when it is told to, and tells what it hears.

use std::{
    fmt::Write as _,
    io::BufRead as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hither_cluster::{
    ClusterConfig, ClusterNode, Hold, Listen, Listener, Producer, Refused, Secrets, Told, TopicSettings,
};
use tokio::{sync::mpsc, task::JoinSet, time::interval};

use crate::{
    common::{self, tell},
    nothing::Nothing,
};

/// How many topics there are. They are in different shards, so that each node holds some.
pub(crate) const TOPICS: usize = 12;
/// How many publish on each node.
const PRODUCERS: usize = 3;
/// How often each of them does.
const PACE: Duration = Duration::from_millis(5);

/// What a node is started with.
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) seeds: Vec<SocketAddr>,
}

impl Settings {
    pub(crate) const VARIABLE: &'static str = "HITHER_TOPIC_TEST_NODE";

    pub(crate) fn encode(&self) -> String {
        let seeds: Vec<_> = self.seeds.iter().map(ToString::to_string).collect();
        format!("{}|{}|{}", self.name, self.address, seeds.join(" "))
    }

    fn decode(text: &str) -> Self {
        let [name, address, seeds] = text.split('|').collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        Self {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            seeds: seeds.split(' ').map(|seed| seed.parse().unwrap()).collect(),
        }
    }
}

pub(crate) fn run_if_asked() {
    common::run_if_asked(Settings::VARIABLE, |settings| run(Settings::decode(&settings)));
}

async fn run(settings: Settings) {
    let secret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let config = ClusterConfig {
        seeds: settings.seeds.iter().map(ToString::to_string).collect(),
        lanes: 2,
        topics: Some(TopicSettings::default()),
        ..ClusterConfig::new(
            settings.name.parse().unwrap(),
            settings.address,
            settings.address,
            Secrets::parse(secret).unwrap(),
        )
    };
    let node = ClusterNode::start(config, |_| Nothing::default()).await.unwrap();
    node.up().await;
    tell("up");
    let topics = node.topics().unwrap();
    let ear = Arc::new(Ear::default());
    let listener = Arc::new(topics.listen(ear.clone()).unwrap());
    for topic in 0..TOPICS {
        listener.subscribe(format!("t{topic}").into(), None).unwrap();
    }
    let is_publishing = Arc::new(AtomicBool::new(true));
    let mut producers = JoinSet::new();
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match &*order {
            "publish" => {
                for number in 0..PRODUCERS {
                    let producer = format!("{}{number}", settings.name);
                    producers.spawn(publish(listener.clone(), producer, is_publishing.clone()));
                }
            }
            "settle" => {
                is_publishing.store(false, Ordering::Relaxed);
                while producers.join_next().await.is_some() {}
                while !topics.is_settled() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tell("settled");
            }
            "leave" => {
                node.hand_off(Duration::from_secs(20)).await;
                tell(&format!("left holding {}", *topics.held().borrow()));
                node.stop().await;
                break;
            }
            "figures" => tell(&format!("{:?}", topics.figures())),
            _ => panic!("no such order: {order}"),
        }
    }
    tell("end");
}

/// Publishes to one topic after the other.
async fn publish(listener: Arc<Listener>, producer: String, is_publishing: Arc<AtomicBool>) {
    let mut pace = interval(PACE);
    let mut sequence = 0;
    while is_publishing.load(Ordering::Relaxed) {
        pace.tick().await;
        sequence += 1;
        let topic = (sequence as usize * 5 + producer.len()) % TOPICS;
        let payload = format!("{producer}.{sequence}");
        tell(&format!("say t{topic} {payload}"));
        loop {
            let topic = format!("t{topic}").into();
            let producer = Producer::from(producer.as_str());
            match listener.publish(topic, producer, sequence, payload.clone().into()) {
                Ok(()) => break,
                Err(Refused::Full) => listener.topics().room().await,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Tells what it hears, and in between how much that was.
#[derive(Default)]
struct Ear {
    heard: AtomicU64,
    confirmed: AtomicU64,
    subscribed: AtomicU64,
    /// One line after the other, not one in another.
    voice: Mutex<()>,
}

impl Listen for Ear {
    fn told(&self, told: Vec<Told>, _hold: Hold) {
        let mut lines = String::new();
        let count = |figure: &AtomicU64| figure.fetch_add(1, Ordering::Relaxed);
        for told in told {
            match told {
                Told::Subscribed { topic, base } => {
                    count(&self.subscribed);
                    write!(lines, "\n> begin {} {}", topic.as_str(), base.number()).unwrap();
                }
                Told::Heard { topic, at, payload } => {
                    count(&self.heard);
                    let payload = std::str::from_utf8(&payload).unwrap();
                    write!(lines, "\n> hear {} {payload} {}", topic.as_str(), at.number()).unwrap();
                }
                Told::Gap { topic, .. } => write!(lines, "\n> gap {}", topic.as_str()).unwrap(),
                Told::Lagged { topic, .. } => write!(lines, "\n> lag {}", topic.as_str()).unwrap(),
                Told::Confirmed {
                    producer, sequence, ..
                } => {
                    count(&self.confirmed);
                    write!(lines, "\n> confirm {}.{sequence}", producer.as_str()).unwrap();
                }
            }
        }
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let _voice = self.voice.lock().unwrap();
        println!("{lines}");
        tell(&format!(
            "so far {} {} {}",
            read(&self.subscribed),
            read(&self.heard),
            read(&self.confirmed)
        ));
    }
}

fn orders() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.blocking_send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}
