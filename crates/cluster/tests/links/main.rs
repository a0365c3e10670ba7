//! Links between real processes: each node is this test binary, executed again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

#[path = "../common/mod.rs"]
mod common;
mod node;
mod process;
mod relay;

use std::time::{Duration, Instant};

use common::free_address;
use hither_cluster::{MembershipTiming, Secret};
use process::{News, Node, Settings};
use relay::Relay;

/// Not a test: what a node runs. Without its settings in the environment it does nothing.
#[test]
fn node() {
    node::run_if_asked();
}

/// Settings of nodes that have each other for seeds.
fn settings(names: &[&str]) -> Vec<Settings> {
    let addresses: Vec<_> = names.iter().map(|_| free_address()).collect();
    let settings = names.iter().zip(&addresses);
    settings
        .map(|(name, address)| Settings::new(name, *address, &addresses))
        .collect()
}

/// Nodes that have found each other and are linked.
fn cluster<const COUNT: usize>(names: [&str; COUNT]) -> [Node; COUNT] {
    let settings = settings(&names);
    let nodes: Vec<_> = settings.iter().map(Node::start).collect();
    for node in &nodes {
        node.until_linked_with_all(&names);
    }
    nodes.try_into().ok().expect("as many nodes as names")
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn three_nodes_link_up_in_any_order() {
    let names = ["a", "b", "c"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let settings = settings(&names);
        let mut nodes = Vec::new();
        for index in order {
            nodes.push(Node::start(&settings[index]));
            if order[0] == 2 {
                // One order with pauses: each finds the ones before.
                let started: Vec<_> = order[..nodes.len()].iter().map(|index| names[*index]).collect();
                nodes
                    .iter()
                    .for_each(|node: &Node| node.until_linked_with_all(&started));
            }
        }
        nodes.iter().for_each(|node| node.until_linked_with_all(&names));
    }
}

#[test]
fn messages_arrive_once_and_in_order_both_ways() {
    let [a, b, c] = cluster(["a", "b", "c"]);
    for node in [&a, &b, &c] {
        for peer in ["a", "b", "c"].into_iter().filter(|name| *name != node.name()) {
            node.order(&format!("send {peer} 20000 100"));
        }
    }
    for node in [&a, &b, &c] {
        for peer in ["a", "b", "c"].into_iter().filter(|name| *name != node.name()) {
            node.until(&format!("20000 messages from {peer}"), |seen| {
                seen.received(peer) == 20_000
            });
        }
    }
}

#[test]
fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
    let [a, b] = cluster(["a", "b"]);
    let limit = hither_cluster::LinkLimits::default().message;
    a.order(&format!("send b 3 {limit}"));
    b.until("three messages of the largest size", |seen| {
        seen.received("a") == 3
    });
    a.order(&format!("send b 1 {}", limit + 1));
    a.until("a refusal", |seen| seen.said("unsent b a message of"));
    a.order("send b 1 10");
    b.until("a message after the refusal", |seen| seen.received("a") == 4);
}

#[test]
fn a_killed_node_is_out_of_the_view_within_a_second_and_comes_back_as_another() {
    let names = ["a", "b", "c"];
    let settings = settings(&names);
    let [a, mut b, c] = [0, 1, 2].map(|index| Node::start(&settings[index]));
    for node in [&a, &b, &c] {
        node.until_linked_with_all(&names);
    }
    let killed = Instant::now();
    b.kill();
    for survivor in [&a, &c] {
        survivor.until("b is out of the view", |seen| seen.view() == ["a", "c"]);
        survivor.until("the link to b is down", |seen| {
            seen.linked() == [survivor.other_of("a", "c")]
        });
    }
    let took = killed.elapsed();
    println!("out of the view after {took:?}");
    // The rest is for slow machines; silence alone would take the failure timeout.
    assert!(
        took < MembershipTiming::default().failure_timeout,
        "it took {took:?}"
    );

    let again = Node::start(&settings[1]);
    for node in [&a, &again, &c] {
        node.until_linked_with_all(&names);
    }
    a.order("send b 1000 100");
    again.until("messages in the second life", |seen| seen.received("a") == 1000);
    again.order("send a 1000 100");
    a.until("messages from the second life", |seen| seen.received("b") == 1000);
}

#[test]
fn a_node_that_shuts_down_delivers_what_it_sent_and_is_gone_at_once() {
    let [a, b] = cluster(["a", "b"]);
    b.order("send a 5000 1000");
    b.order("quit");
    a.until("all that b has sent", |seen| seen.received("b") == 5000);
    let sent = Instant::now();
    a.until("b is out of the view", |seen| seen.view() == ["a"]);
    assert!(
        sent.elapsed() < MembershipTiming::default().failure_timeout,
        "it took {:?}",
        sent.elapsed()
    );
}

#[test]
fn a_stopped_node_is_lost_within_five_seconds_and_finds_its_way_back() {
    let [a, b, c] = cluster(["a", "b", "c"]);
    let stopped = Instant::now();
    b.stop();
    for survivor in [&a, &c] {
        survivor.until("b is out of the view", |seen| seen.view() == ["a", "c"]);
    }
    let took = stopped.elapsed();
    println!("lost after {took:?}");
    // Twice the promise, for slow machines.
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    // Longer than the failure timeout, so that it has slept through all others' silence, too.
    std::thread::sleep(Duration::from_secs(6).saturating_sub(took));
    let views_before = b.seen().views().count();
    b.resume();
    for node in [&a, &b, &c] {
        node.until_linked_with_all(&["a", "b", "c"]);
    }
    b.until("the stall is noticed", |seen| seen.said("event Stalled"));
    b.until("b learns that it was counted out", |seen| {
        seen.said("event CountedOut")
    });
    let alone = b.seen().views().skip(views_before).any(|view| view == ["b"]);
    assert!(!alone, "a resumed node must not believe to be alone");
    a.order("send b 1000 100");
    b.until("messages after the return", |seen| seen.received("a") == 1000);
}

#[test]
fn who_does_not_know_the_secret_gets_in_at_neither_port() {
    let names = ["a", "b"];
    let settings = settings(&names);
    let [a, b] = [0, 1].map(|index| Node::start(&settings[index]));
    for node in [&a, &b] {
        node.until_linked_with_all(&names);
    }
    let mut stranger = Settings::new("Stranger", free_address(), &settings[1].seeds);
    stranger.secret = Secret::random().reveal();
    // It knows whom to dial, as if gossip had told; its name sorts first, so that it is the one to dial.
    stranger.intrude = Some((b.id(), settings[1].address));
    let stranger = Node::start(&stranger);
    b.until("gossip is refused", |seen| {
        seen.logged("does not know the cluster secret")
    });
    b.until("links are refused", |seen| seen.logged("refused a link"));
    stranger.until("it keeps trying", |seen| seen.logged("failures=4"));
    assert_eq!(stranger.seen().linked(), [""; 0]);
    assert_eq!(stranger.seen().view(), ["Stranger"]);
    for node in [&a, &b] {
        node.until_linked_with_all(&names);
        assert!(!node.seen().said("up Stranger"));
    }
}

#[test]
fn a_peer_that_stalls_costs_a_bounded_queue_and_then_its_link() {
    let mut settings = settings(&["a", "b"]);
    for settings in &mut settings {
        // Silence must not cut the link before the queue is full.
        settings.stall_timeout = Duration::from_secs(30);
        settings.failure_timeout = Duration::from_secs(60);
    }
    let [a, b] = [0, 1].map(|index| Node::start(&settings[index]));
    for node in [&a, &b] {
        node.until_linked_with_all(&["a", "b"]);
    }
    let before = a.memory();
    b.stop();
    // Four times what may wait.
    a.order(&format!("send b {} {}", 4 * 1024, 64 << 10));
    a.until("the link is cut", |seen| seen.said("down b the peer is too slow"));
    let grown = a.peak_memory().saturating_sub(before);
    println!("grown by {} MiB", grown >> 20);
    // The queue, the window in the library's hands, and the test's own buffers.
    assert!(grown < 120 << 20, "{grown} bytes");
    b.resume();
    a.until_linked_with_all(&["a", "b"]);
    a.order("send b 10 10");
    b.until("messages on the new link", |seen| seen.said("got a 10 after up"));
}

#[test]
fn a_peer_that_does_not_finish_its_work_is_sent_a_window_and_no_more() {
    let [a, b] = cluster(["a", "b"]);
    b.order("hold");
    b.until("it to hold what it gets", |seen| seen.said("holding"));
    a.order(&format!("send b 3000 {}", 10_000));
    let limits = hither_cluster::LinkLimits::default();
    let window = limits.window / 10_000;
    b.until("a window full of messages", |seen| {
        seen.received("a") as usize >= window
    });
    // Pings go on meanwhile, so the link is not cut for silence.
    std::thread::sleep(limits.stall_timeout + Duration::from_secs(1));
    let received = b.seen().received("a") as usize;
    assert!(
        received <= (limits.window + limits.batch) / 10_000 + 1,
        "{received} messages"
    );
    assert_eq!(a.seen().linked(), ["b"]);
    b.order("release");
    b.until("the rest", |seen| seen.received("a") == 3000);
}

#[test]
fn a_connection_that_goes_dead_is_cut_by_both_ends_and_replaced() {
    let mut settings = settings(&["a", "b"]);
    let relay = Relay::start(settings[1].address);
    settings[1].advertised_link = Some(relay.address());
    let [a, b] = [0, 1].map(|index| Node::start(&settings[index]));
    for node in [&a, &b] {
        node.until_linked_with_all(&["a", "b"]);
    }
    relay.freeze();
    a.until("a cuts the link", |seen| seen.said("down b silent for"));
    b.until("b cuts the link", |seen| seen.said("down a silent for"));
    // Gossip goes on, so both stay members, and only the link is missing.
    assert_eq!(a.seen().view(), ["a", "b"]);
    relay.thaw();
    for node in [&a, &b] {
        node.until_linked_with_all(&["a", "b"]);
    }
    a.order("send b 1000 100");
    b.until("messages on the new link", |seen| seen.received("a") == 1000);
}

#[test]
fn a_link_that_cannot_be_direct_goes_through_a_third_node_until_it_can() {
    let names = ["a", "b", "c"];
    let mut settings = settings(&names);
    // Only what a sends to b, and gets back, goes through here; gossip does not.
    let direct_way = Relay::start(settings[1].address);
    settings[0].detour = Some(("b".to_owned(), direct_way.address()));
    let [a, b, c] = [0, 1, 2].map(|index| Node::start(&settings[index]));
    for node in [&a, &b, &c] {
        node.until_linked_with_all(&names);
    }
    let both = [(&a, "b"), (&b, "a")];
    // On a busy machine the first link may have gone through c.
    let links_when_direct = || {
        both.map(|(node, peer)| {
            node.until("a direct link", |seen| {
                seen.links(peer) == seen.links_logged(peer) && !seen.link_up(peer).contains("via=")
            });
            node.seen().links(peer)
        })
    };
    let mut rounds = 0;
    loop {
        let before = links_when_direct();
        direct_way.freeze();
        let cut = Instant::now();
        for ((node, peer), before) in both.into_iter().zip(before) {
            node.until("a link through c", |seen| {
                seen.links(peer) > before && seen.link_up(peer).contains("via=c")
            });
            node.until_linked_with_all(&names);
        }
        println!("through c after {:?}", cut.elapsed());
        c.until("c passes on a link", |seen| seen.logged("relaying a link"));
        for (node, peer) in both {
            node.order(&format!("send {peer} 20000 100"));
        }
        for (node, peer) in both {
            node.until("messages through c", |seen| seen.received(peer) == 20_000);
        }
        // That the direct way is tried in vain meanwhile must not harm the link. Nor must it that b grants what a has given
        // up: each of b's two answers comes in the time that a has for both. With the second attempt the first is over.
        let calls = direct_way.calls();
        eventually("an attempt to return", || direct_way.calls() > calls);
        direct_way.delay_answers(Duration::from_millis(1500));
        direct_way.thaw();
        eventually("another attempt to return", || {
            // An a that was not run meanwhile may have taken the first.
            direct_way.calls() >= calls + 2 || !a.seen().link_up("b").contains("via=")
        });
        // If b ended the link through c when it grants the direct one, a would hear of that end first.
        direct_way.delay_answers(Duration::from_millis(50));
        for ((node, peer), before) in both.into_iter().zip(before) {
            node.until("a direct link again", |seen| {
                seen.links(peer) >= before + 2 && !seen.link_up(peer).contains("via=")
            });
        }
        direct_way.delay_answers(Duration::ZERO);
        if links_when_direct() == before.map(|links| links + 2) {
            break;
        }
        // On a busy machine one may have waited in vain for what the other sent in time; but not each time.
        rounds += 1;
        assert!(rounds < 3, "each time there was one more link than need be");
    }
    c.until("c has nothing to pass on", |seen| seen.logged("stopped relaying"));
    a.order("send b 1000 100");
    b.until("messages on the direct link", |seen| seen.received("a") == 1000);
    for node in [&a, &b] {
        node.until_linked_with_all(&names);
    }
}

#[test]
fn a_link_whose_relay_dies_goes_through_another() {
    let names = ["a", "b", "c", "d"];
    let mut settings = settings(&names);
    let direct_way = Relay::start(settings[1].address);
    settings[0].detour = Some(("b".to_owned(), direct_way.address()));
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| Node::start(&settings[index]));
    for node in [&a, &b, &c, &d] {
        node.until_linked_with_all(&names);
    }
    direct_way.freeze();
    b.until("a link through another", |seen| {
        seen.link_up("a").contains("via=")
    });
    let (mut relay, other) = if b.seen().link_up("a").contains("via=c") {
        (c, d)
    } else {
        (d, c)
    };
    relay.kill();
    let via = format!("via={}", other.name());
    b.until("a link through the other", |seen| {
        seen.link_up("a").contains(&via)
    });
    for node in [&a, &b] {
        node.until_linked_with_all(&["a", "b", other.name()]);
    }
}

#[test]
fn who_accepts_a_new_link_takes_the_old_one_for_ended() {
    let names = ["a", "b", "c"];
    let mut settings = settings(&names);
    // Only a notices, for b is patient. Each must hear pings of the others in time.
    for (settings, seconds) in settings.iter_mut().zip([5, 16, 16]) {
        settings.stall_timeout = Duration::from_secs(seconds);
    }
    let direct_way = Relay::start(settings[1].address);
    settings[0].detour = Some(("b".to_owned(), direct_way.address()));
    let [a, b, c] = [0, 1, 2].map(|index| Node::start(&settings[index]));
    for node in [&a, &b, &c] {
        node.until_linked_with_all(&names);
    }
    direct_way.freeze();
    b.until("the new link in place of the old", |seen| {
        seen.said("down a replaced by a newer link") && seen.link_up("a").contains("via=c")
    });
    for (node, other) in [(&a, &b), (&b, &a)] {
        node.until_linked_with_all(&names);
        node.order(&format!("send {} 1000 100", other.name()));
        other.until("messages on the new link", |seen| {
            seen.received(node.name()) == 1000
        });
        assert_eq!(node.seen().links(other.name()), 2);
    }
}

#[test]
fn junk_at_the_link_port_harms_nobody() {
    use std::{io::Write, net::TcpStream};

    let settings = settings(&["a", "b"]);
    let [a, b] = [0, 1].map(|index| Node::start(&settings[index]));
    for node in [&a, &b] {
        node.until_linked_with_all(&["a", "b"]);
    }
    let silent: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(settings[1].address).unwrap())
        .collect();
    for length in [1, 8, 16, 24, 1000] {
        let mut junk = TcpStream::connect(settings[1].address).unwrap();
        junk.write_all(&vec![0xff; length]).unwrap();
    }
    let mut polite = TcpStream::connect(settings[1].address).unwrap();
    // A greeting as it should be, but for the secret.
    polite.write_all(b"hither\0\x03\0\x03\0\x03\0\x30").unwrap();
    polite.write_all(&[0xff; 48]).unwrap();
    b.until("a refusal", |seen| seen.logged("refused a link"));
    drop(silent);
    a.order("send b 1000 100");
    b.until("messages all the same", |seen| seen.received("a") == 1000);
    assert!(!a.seen().said("down b"));
}
