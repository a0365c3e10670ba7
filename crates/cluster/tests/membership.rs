//! Membership of several nodes in one process, over real UDP on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hither_cluster::{
    Incarnation, Membership, MembershipConfig, MembershipEvent, MembershipTiming, NodeId, NodeName, Phase,
    Secret, Unfit, View,
};
use tokio::{
    net::UdpSocket,
    sync::{broadcast, watch},
    time::{Instant, timeout},
};

/// Far beyond what anything here takes; a test that waits that long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// Less than it takes until a node that says nothing is lost: the failure timeout, but for what it said last.
const SILENCE: Duration = Duration::from_secs(3);

const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn config(name: &str, incarnation: u64, seeds: &[String]) -> MembershipConfig {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    MembershipConfig {
        me: NodeId {
            name: name.parse().unwrap(),
            incarnation: Incarnation(incarnation),
        },
        http: loopback(9001),
        gossip_bind: loopback(0),
        gossip_advertise: None,
        link: loopback(7001),
        seeds: seeds.to_vec(),
        secrets: Secret::new(SECRET).unwrap().into(),
        shards: 64,
        timing: MembershipTiming::default(),
    }
}

async fn start(name: &str, incarnation: u64, seeds: &[String]) -> Membership {
    Membership::start(config(name, incarnation, seeds)).await.unwrap()
}

fn seed(node: &Membership) -> Vec<String> {
    vec![node.gossip_address().to_string()]
}

async fn until(what: &str, mut views: watch::Receiver<Arc<View>>, condition: impl Fn(&View) -> bool) {
    let reached = timeout(DEADLINE, views.wait_for(|view| condition(view)))
        .await
        .map(|view| view.is_ok());
    assert_eq!(reached, Ok(true), "{what}; the last view is {:?}", views.borrow());
}

async fn until_seen(node: &Membership, members: &[&str]) {
    let sees = |view: &View| {
        view.members
            .keys()
            .map(NodeName::as_str)
            .eq(members.iter().copied())
    };
    until(&format!("waited to see {members:?}"), node.views(), sees).await;
}

async fn event(mut events: broadcast::Receiver<MembershipEvent>, wanted: impl Fn(&MembershipEvent) -> bool) {
    let found = async { while !wanted(&events.recv().await.unwrap()) {} };
    timeout(DEADLINE, found).await.expect("the event comes");
}

/// Ends a node as a crash does: nobody is told.
fn crash(node: Membership) {
    drop(node);
}

#[tokio::test]
async fn three_nodes_find_each_other_through_one() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    let three = start("three", 1, &seed(&one)).await;
    for node in [&one, &two, &three] {
        until_seen(node, &["one", "three", "two"]).await;
        assert!(node.has_heard_anyone());
    }
}

#[tokio::test]
async fn seeds_may_be_names_or_down_or_the_node_itself() {
    let one = start("one", 1, &[]).await;
    let down = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let reserved = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = reserved.local_addr().unwrap();
    drop(reserved);
    let seeds = [
        down.local_addr().unwrap().to_string(),
        own.to_string(),
        "no-such-host.invalid:7001".to_owned(),
        format!("localhost:{}", one.gossip_address().port()),
    ];
    drop(down);
    let mut config = config("two", 1, &seeds);
    config.gossip_bind = own;
    let two = Membership::start(config).await.unwrap();
    until_seen(&one, &["one", "two"]).await;
    until_seen(&two, &["one", "two"]).await;
}

#[tokio::test]
async fn a_seed_may_start_later() {
    let reserved = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = reserved.local_addr().unwrap();
    drop(reserved);
    let two = start("two", 1, &[address.to_string()]).await;
    until_seen(&two, &["two"]).await;
    assert!(!two.has_heard_anyone());
    let mut config = config("one", 1, &[]);
    config.gossip_bind = address;
    let one = Membership::start(config).await.unwrap();
    until_seen(&two, &["one", "two"]).await;
    until_seen(&one, &["one", "two"]).await;
}

#[tokio::test]
async fn phases_spread() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    for phase in [Phase::Up, Phase::Leaving] {
        two.set_phase(phase).await;
        let id = two.views().borrow().me.clone();
        assert_eq!(two.views().borrow().member(&id).unwrap().phase, phase);
        until("waited for the phase", one.views(), |view| {
            view.member(&id).is_some_and(|two| two.phase == phase)
        })
        .await;
    }
}

#[tokio::test]
async fn who_leaves_is_gone_at_once() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    until_seen(&two, &["one", "two"]).await;
    let left = Instant::now();
    two.shutdown().await;
    until_seen(&one, &["one"]).await;
    // The rest is for slow machines; silence alone would take the failure timeout.
    assert!(left.elapsed() < SILENCE, "it took {:?}", left.elapsed());
}

#[tokio::test]
async fn who_falls_silent_is_lost_after_the_failure_timeout() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    let crashed = Instant::now();
    crash(two);
    until_seen(&one, &["one"]).await;
    let took = crashed.elapsed();
    assert!(
        took > SILENCE && took < 2 * MembershipTiming::default().failure_timeout,
        "it took {took:?}"
    );
}

#[tokio::test]
async fn who_is_suspected_and_silent_is_lost_within_a_second() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    let three = start("three", 1, &seed(&one)).await;
    for node in [&one, &two, &three] {
        until_seen(node, &["one", "three", "two"]).await;
    }
    let id = two.views().borrow().me.clone();
    let crashed = Instant::now();
    crash(two);
    for survivor in [&one, &three] {
        survivor.suspect(&id);
    }
    until_seen(&one, &["one", "three"]).await;
    until_seen(&three, &["one", "three"]).await;
    // The rest is for slow machines; silence alone would take the failure timeout.
    assert!(crashed.elapsed() < SILENCE, "it took {:?}", crashed.elapsed());
}

#[tokio::test]
async fn who_is_suspected_and_lives_stays() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    one.suspect(&two.views().borrow().me.clone());
    let mut views = one.views();
    views.mark_unchanged();
    // The confirm time twice over: if it were counted out at all, then by now.
    assert!(
        timeout(Duration::from_secs(1), views.changed()).await.is_err(),
        "{:?}",
        views.borrow()
    );
}

#[tokio::test]
async fn a_restart_under_the_same_name_is_another_member() {
    let one = start("one", 1, &[]).await;
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    crash(two);
    let two = start("two", 2, &seed(&one)).await;
    let second = two.views().borrow().me.clone();
    until("waited for the second life", one.views(), |view| {
        view.member(&second).is_some()
    })
    .await;
    until_seen(&two, &["one", "two"]).await;
}

#[tokio::test]
async fn a_stranger_without_the_secret_is_not_heard() {
    let one = start("one", 1, &[]).await;
    let mut config = config("stranger", 1, &seed(&one));
    config.secrets = Secret::random().into();
    let stranger = Membership::start(config).await.unwrap();
    let friend = start("friend", 1, &seed(&one)).await;
    until_seen(&one, &["friend", "one"]).await;
    let refused = async {
        while one.refused_datagrams() < 10 {
            tokio::time::sleep(Duration::from_millis(10)).await
        }
    };
    timeout(DEADLINE, refused)
        .await
        .expect("the stranger keeps trying");
    until_seen(&one, &["friend", "one"]).await;
    until_seen(&stranger, &["stranger"]).await;
    assert!(!stranger.has_heard_anyone());
    drop(friend);
}

#[tokio::test]
async fn junk_is_refused_and_counted() {
    let one = start("one", 1, &[]).await;
    let junk = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for length in 0..50_usize {
        junk.send_to(&vec![0x5a; length * 37], one.gossip_address())
            .await
            .unwrap();
    }
    let two = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    assert_eq!(one.refused_datagrams(), 50);
    drop(two);
}

#[tokio::test]
async fn a_joiner_with_another_number_of_shards_learns_both_numbers() {
    let one = start("one", 1, &[]).await;
    one.set_phase(Phase::Up).await;
    let mut config = config("two", 1, &seed(&one));
    config.shards = 128;
    let two = Membership::start(config).await.unwrap();
    let by = one.views().borrow().me.clone();
    let expected = MembershipEvent::Unfit(Unfit::Shards {
        ours: 128,
        theirs: 64,
        by,
    });
    event(two.events(), |event| *event == expected).await;
    until_seen(&two, &["two"]).await;
    until_seen(&one, &["one"]).await;
}

#[tokio::test]
async fn of_two_nodes_with_one_name_the_later_is_told_while_it_joins() {
    let one = start("one", 1, &[]).await;
    let first = start("two", 1, &seed(&one)).await;
    until_seen(&one, &["one", "two"]).await;
    let second = start("two", 2, &seed(&one)).await;
    let (by, at) = (first.views().borrow().me.clone(), first.gossip_address());
    event(second.events(), |event| {
        *event == MembershipEvent::Unfit(Unfit::NameTaken { by: by.clone(), at })
    })
    .await;
    assert!(*second.name_in_doubt().borrow(), "it would have been up");
    assert_eq!(one.views().borrow().members[&by.name].id, by);
}

#[tokio::test]
async fn of_two_nodes_with_one_name_the_earlier_is_told_when_both_are_up() {
    let one = start("one", 1, &[]).await;
    let first = start("two", 1, &seed(&one)).await;
    let events = first.events();
    until_seen(&first, &["one", "two"]).await;
    let second = start("two", 2, &[]).await;
    second.set_phase(Phase::Up).await;
    let by = second.views().borrow().me.clone();
    let _bridge = start("three", 1, &[seed(&one), seed(&second)].concat()).await;
    event(events, |event| {
        *event == MembershipEvent::Unfit(Unfit::Superseded { by: by.clone() })
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let one = start("one", 1, &[]).await;
    let mut config = config("two", 1, &[]);
    config.gossip_bind = one.gossip_address();
    let error = Membership::start(config)
        .await
        .err()
        .expect("the port is taken")
        .to_string();
    assert!(error.contains(&one.gossip_address().to_string()), "{error}");
}
