//! Topics on the replicated core, between real processes that are killed, stopped, come and go: each node is this test binary,
//! executed again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests"
)]

#[path = "../common/mod.rs"]
mod common;
mod judge;
mod node;
mod nothing;

use std::time::Duration;

use common::{Process, Seen, free_address};
use judge::{History, judge};
use node::{Settings, TOPICS};

/// Not a test: what a node runs. Without its settings in the environment it does nothing.
#[test]
fn node() {
    node::run_if_asked();
}

fn start(settings: &Settings) -> Process {
    Process::start(&settings.name, Settings::VARIABLE, &settings.encode())
}

/// How many subscriptions hold, how much was heard, and how much is confirmed.
fn so_far(seen: &Seen) -> [usize; 3] {
    let counts = |line: &String| {
        let mut counts = line.strip_prefix("so far ")?.split(' ').map(str::parse);
        let mut next = || counts.next()?.ok();
        Some([next()?, next()?, next()?])
    };
    seen.said.iter().rev().find_map(counts).unwrap_or_default()
}

fn until_subscribed(node: &Process) {
    node.until("all subscriptions", |seen| so_far(seen)[0] >= TOPICS);
}

/// Waits until so many more of the node's publications are confirmed.
fn until_confirmed(node: &Process, more: usize) {
    let before = so_far(&node.seen())[2];
    let what = format!("{more} more confirmations than {before}");
    node.until(&what, |seen| so_far(seen)[2] >= before + more);
}

/// What nodes say, of those that had it to say.
fn histories(nodes: &[&Process]) -> Vec<History> {
    nodes
        .iter()
        .map(|node| History::of(node.name(), &node.seen()))
        .collect()
}

#[test]
fn all_hear_all_once_and_in_one_order_whoever_dies_sleeps_comes_or_goes() {
    let addresses: Vec<_> = (0..4).map(|_| free_address()).collect();
    let settings = |index: usize| Settings {
        name: ["a", "b", "c", "d"][index].to_owned(),
        address: addresses[index],
        seeds: addresses[..3].to_vec(),
    };
    let [a, b, mut c] = [0, 1, 2].map(|index| start(&settings(index)));
    for node in [&a, &b, &c] {
        until_subscribed(node);
    }
    for node in [&a, &b, &c] {
        node.order("publish");
    }
    until_confirmed(&c, 300);

    // While shards move to d, their holders among them, c dies: it held a third of the topics.
    let d = start(&settings(3));
    d.until("d is up", |seen| seen.said("up"));
    c.kill();
    until_subscribed(&d);
    d.order("publish");
    for node in [&a, &b, &d] {
        until_confirmed(node, 300);
    }

    // Longer than links wait.
    b.stop();
    std::thread::sleep(Duration::from_secs(3));
    b.resume();
    for node in [&a, &b, &d] {
        until_confirmed(node, 300);
    }

    d.order("settle");
    d.until("all of d is confirmed", |seen| seen.said("settled"));
    d.order("leave");
    d.until("d has given up its shards", |seen| seen.said("left holding 0"));
    d.until("d has ended", |seen| seen.said("end"));
    for node in [&a, &b] {
        until_confirmed(node, 100);
        node.order("settle");
        node.until("all is confirmed", |seen| seen.said("settled"));
    }

    let confirmed: usize = histories(&[&a, &b, &c, &d])
        .iter()
        .map(|node| node.confirmed.len())
        .sum();
    for node in [&a, &b] {
        let what = format!("{confirmed} publications, all that are confirmed");
        node.until(&what, |seen| so_far(seen)[1] >= confirmed);
    }
    judge(&histories(&[&a, &b]), &histories(&[&c, &d]));
    for node in [&a, &b] {
        node.order("figures");
        node.until("figures", |seen| seen.said("TopicFigures"));
        let seen = node.seen();
        println!("{}: {}", node.name(), seen.said.last().unwrap());
    }
}
