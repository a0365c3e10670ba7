//! What a node of these tests runs: membership and links, told what to do on stdin, telling what happens on stdout.

use std::{
    collections::BTreeMap,
    io::BufRead,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hither_cluster::{
    Channel, Credit, Incarnation, LinkDown, LinkEvents, LinkLimits, LinkListener, LinkSender, Links,
    LinksConfig, Member, Membership, MembershipConfig, MembershipTiming, NodeId, Phase, Secrets, View,
};
use tokio::sync::{mpsc, watch};

use crate::{
    common::{self, tell},
    process::Settings,
};

pub(crate) fn run_if_asked() {
    common::run_if_asked(Settings::VARIABLE, |settings| run(Settings::decode(&settings)));
}

async fn run(settings: Settings) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let me = NodeId {
        name: settings.name.parse().unwrap(),
        incarnation: Incarnation(since_epoch.as_millis().try_into().unwrap()),
    };
    tell(&format!("id {} {}", me.name, me.incarnation.0));
    let secrets = Secrets::parse(&settings.secret).unwrap();
    let listener = LinkListener::bind(settings.address).await.unwrap();
    let sender = listener.sender();
    let membership = Membership::start(MembershipConfig {
        me: me.clone(),
        http: settings.address,
        gossip_bind: settings.address,
        gossip_advertise: None,
        link: settings.advertised_link.unwrap_or(settings.address),
        seeds: settings.seeds.iter().map(ToString::to_string).collect(),
        secrets: secrets.clone(),
        shards: 64,
        timing: MembershipTiming {
            failure_timeout: settings.failure_timeout,
            ..MembershipTiming::default()
        },
    });
    let membership = Arc::new(membership.await.unwrap());
    let reporters = [
        tokio::spawn(report_views(membership.views())),
        tokio::spawn(report_events(membership.clone())),
    ];
    let views = match (settings.intrude, settings.detour) {
        (Some((victim, address)), _) => imagined_view(&me, victim, address),
        (None, Some((peer, address))) => views_with_detour(membership.views(), peer, address),
        (None, None) => membership.views(),
    };
    let reporter = Arc::new(Reporter {
        membership: Arc::downgrade(&membership),
        ..Reporter::default()
    });
    let links = Links::start(
        LinksConfig {
            me,
            listener,
            secrets,
            limits: LinkLimits {
                stall_timeout: settings.stall_timeout,
                ..LinkLimits::default()
            },
        },
        views,
        reporter.clone(),
    );
    let links = links.await.unwrap();

    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let words: Vec<_> = order.split(' ').collect();
        match words[..] {
            ["send", peer, count, size] => {
                send(&sender, peer, count.parse().unwrap(), size.parse().unwrap());
            }
            ["hold"] => {
                *reporter.held.lock().unwrap() = Some(Vec::new());
                tell("holding");
            }
            ["release"] => *reporter.held.lock().unwrap() = None,
            ["quit"] => break,
            _ => panic!("no such order: {order}"),
        }
    }
    links.shutdown().await;
    for reporter in reporters {
        reporter.abort();
        reporter.await.ok();
    }
    Arc::into_inner(membership)
        .expect("nobody else has it")
        .shutdown()
        .await;
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

/// Sends numbered messages of a size, and tells of the first that is refused.
fn send(sender: &LinkSender, peer: &str, count: u64, size: usize) {
    let Some(id) = sender.linked().into_iter().find(|id| id.name.as_str() == peer) else {
        return tell(&format!("unsent {peer} not linked"));
    };
    for number in 0..count {
        let mut message = vec![0; size.max(8)];
        message[..8].copy_from_slice(&number.to_be_bytes());
        if let Err(error) = sender.send(&id, message.into()) {
            return tell(&format!("unsent {peer} {error}"));
        }
    }
}

async fn report_views(mut views: watch::Receiver<Arc<View>>) {
    loop {
        let names: Vec<_> = views
            .borrow_and_update()
            .members
            .keys()
            .map(ToString::to_string)
            .collect();
        tell(&format!("view {}", names.join(" ")));
        if views.changed().await.is_err() {
            return;
        }
    }
}

async fn report_events(membership: Arc<Membership>) {
    let mut events = membership.events();
    drop(membership);
    while let Ok(event) = events.recv().await {
        tell(&format!("event {event:?}"));
    }
}

/// Views in which a peer's links are accepted elsewhere.
fn views_with_detour(
    mut views: watch::Receiver<Arc<View>>,
    peer: String,
    address: std::net::SocketAddr,
) -> watch::Receiver<Arc<View>> {
    let changed = move |view: &View| {
        let mut view = view.clone();
        let mut members = view.members.values_mut();
        if let Some(member) = members.find(|member| member.id.name.as_str() == peer) {
            member.link = address;
        }
        Arc::new(view)
    };
    let (sender, receiver) = watch::channel(changed(&views.borrow_and_update()));
    tokio::spawn(async move {
        while views.changed().await.is_ok() && sender.send(changed(&views.borrow_and_update())).is_ok() {}
    });
    receiver
}

/// The view of an intruder, who has not learnt from gossip whom to dial.
fn imagined_view(me: &NodeId, victim: NodeId, address: std::net::SocketAddr) -> watch::Receiver<Arc<View>> {
    let member = Member {
        id: victim.clone(),
        phase: Phase::Up,
        http: address,
        gossip: address,
        link: address,
    };
    let members = [(victim.name, member)].into();
    let (views, receiver) = watch::channel(Arc::new(View {
        me: me.clone(),
        members,
    }));
    // The view never changes; its sender must live as long as the process.
    std::mem::forget(views);
    receiver
}

#[derive(Default)]
struct Reporter {
    membership: std::sync::Weak<Membership>,
    /// How many messages came in this life of the link, by peer.
    counts: Mutex<BTreeMap<NodeId, u64>>,
    /// Credits that are held back, if they are to be.
    held: Mutex<Option<Vec<Credit>>>,
}

impl LinkEvents for Reporter {
    fn link_up(&self, peer: &NodeId) {
        let before = self.counts.lock().unwrap().insert(peer.clone(), 0);
        assert_eq!(before, None, "a link came up that was up");
        tell(&format!("up {}", peer.name));
    }

    fn received(&self, peer: &NodeId, _channel: Channel, messages: Vec<Bytes>, credit: Credit) {
        let mut counts = self.counts.lock().unwrap();
        let count = counts
            .get_mut(peer)
            .expect("a message came over a link that is down");
        for message in messages {
            let number = u64::from_be_bytes(message[..8].try_into().unwrap());
            // Each order to send counts from zero.
            assert!(
                number == 0 || number == *count % 20_000,
                "{number} came after {count} messages"
            );
            *count += 1;
        }
        tell(&format!("got {} {count} after up", peer.name));
        if let Some(held) = &mut *self.held.lock().unwrap() {
            held.push(credit);
        }
    }

    fn link_down(&self, peer: &NodeId, reason: &LinkDown) {
        let count = self.counts.lock().unwrap().remove(peer);
        assert!(count.is_some(), "a link went down that was down");
        tell(&format!("down {} {reason}", peer.name));
        if let Some(membership) = self.membership.upgrade() {
            membership.suspect(peer);
        }
    }
}

impl Settings {
    pub(crate) const VARIABLE: &'static str = "HITHER_LINK_TEST_NODE";

    pub(crate) fn encode(&self) -> String {
        let Self {
            name,
            address,
            advertised_link,
            detour,
            seeds,
            secret,
            stall_timeout,
            failure_timeout,
            intrude,
        } = self;
        let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
        let advertised = advertised_link.map(|link| link.to_string()).unwrap_or_default();
        let intrude = intrude
            .as_ref()
            .map(|(id, at)| format!("{} {} {at}", id.name, id.incarnation.0));
        let detour = detour.as_ref().map(|(peer, at)| format!("{peer} {at}"));
        let times = format!("{}|{}", stall_timeout.as_millis(), failure_timeout.as_millis());
        format!(
            "{name}|{address}|{advertised}|{}|{}|{secret}|{times}|{}",
            detour.unwrap_or_default(),
            seeds.join(" "),
            intrude.unwrap_or_default()
        )
    }

    fn decode(text: &str) -> Self {
        let fields: Vec<_> = text.split('|').collect();
        let [
            name,
            address,
            advertised,
            detour,
            seeds,
            secret,
            stall,
            failure,
            intrude,
        ] = fields[..]
        else {
            panic!("{text}");
        };
        let milliseconds = |text: &str| Duration::from_millis(text.parse().unwrap());
        let intrude = match intrude.split(' ').collect::<Vec<_>>()[..] {
            [name, incarnation, at] => {
                let incarnation = Incarnation(incarnation.parse().unwrap());
                Some((
                    NodeId {
                        name: name.parse().unwrap(),
                        incarnation,
                    },
                    at.parse().unwrap(),
                ))
            }
            _ => None,
        };
        Self {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            advertised_link: advertised.parse().ok(),
            detour: detour
                .split_once(' ')
                .map(|(peer, at)| (peer.to_owned(), at.parse().unwrap())),
            seeds: seeds.split(' ').map(|seed| seed.parse().unwrap()).collect(),
            secret: secret.to_owned(),
            stall_timeout: milliseconds(stall),
            failure_timeout: milliseconds(failure),
            intrude,
        }
    }
}
