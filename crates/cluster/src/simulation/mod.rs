//! Simulations of what decides where entities live and what they are served, without sockets, clocks and threads.
//!
//! A [world](world::World) has a few nodes, each with the pure machines of this crate ([`Handoff`](crate::handoff),
//! [`Settlement`](crate::settlement), [`Interest`](crate::topic), [`Log`](crate::log), [`Traces`](crate::trace)) and a
//! shell that drives them as the [router](crate::router) and the [lanes](crate::lane) do. Everything that happens is
//! one step of a schedule that is drawn from a seed: a link delivers one message, a lane handles one, a node hears of a
//! member, a link is cut, a node dies. After each step a [judge](judge::Judge) who sees everything says whether all is
//! still as it must be.
//!
//! `HITHER_SIMULATIONS` sets how many seeds are tried, `HITHER_SEED` tries one and prints its story.

mod entity;
mod judge;
mod lane;
mod message;
mod network;
mod node;
mod router;
mod rules;
mod world;

use std::{env, ops::Range};

use self::{
    rules::{Rules, Sabotage},
    world::World,
};

/// Lines of a story that are printed: a failure is mostly about what was last.
const LAST_LINES: usize = 400;

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().expect("a number"))
}

/// The first seed with which something goes wrong, and what.
fn first_failure(rules: Rules, seeds: impl IntoIterator<Item = u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let violation = World::new(seed, rules, false).run().err()?;
        Some((seed, violation.to_string()))
    })
}

fn story(rules: Rules, seed: u64) -> String {
    let mut world = World::new(seed, rules, true);
    let end = match world.run() {
        Ok(()) => "all is well".to_owned(),
        Err(violation) => violation.to_string(),
    };
    let story = world.story();
    let skipped = story.lines().count().saturating_sub(LAST_LINES);
    let last: Vec<&str> = story.lines().skip(skipped).collect();
    format!(
        "{}\n{end}\nagain: HITHER_SEED={seed} with {rules:?}",
        last.join("\n")
    )
}

fn holds(rules: Rules) {
    if let Some(seed) = number("HITHER_SEED") {
        println!("{}", story(rules, seed));
    }
    let seeds = match number("HITHER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HITHER_SIMULATIONS").unwrap_or(400),
    };
    if let Some((seed, _)) = first_failure(rules, seeds) {
        panic!("{}", story(rules, seed));
    }
}

fn is_noticed(sabotage: Sabotage) {
    is_noticed_in(sabotage, 0..1_000);
}

fn is_noticed_in(sabotage: Sabotage, seeds: Range<u64>) {
    let rules = Rules {
        crashes: true,
        sabotage: Some(sabotage),
        ..Rules::default()
    };
    assert!(first_failure(rules, seeds).is_some(), "{sabotage:?} does no harm");
}

#[test]
fn nodes_come_and_leave() {
    holds(Rules::default());
}

#[test]
fn nodes_die() {
    holds(Rules {
        crashes: true,
        ..Rules::default()
    });
}

#[test]
fn links_are_cut() {
    holds(Rules {
        crashes: true,
        cuts: true,
        ..Rules::default()
    });
}

#[test]
fn members_are_parted() {
    holds(Rules {
        crashes: true,
        cuts: true,
        partitions: true,
        ..Rules::default()
    });
}

#[test]
fn logs_are_short() {
    holds(Rules {
        log: Some(3),
        ..Rules::default()
    });
}

#[test]
fn a_missing_barrier_is_noticed() {
    is_noticed(Sabotage::NoBarrier);
}

#[test]
fn a_missing_catch_up_is_noticed() {
    // One schedule in some thousands shows it.
    is_noticed_in(Sabotage::NoCatchUp, 2_000..6_000);
}

#[test]
fn a_count_instead_of_marks_is_noticed() {
    // One schedule in some thousands shows it.
    is_noticed_in(Sabotage::CountForMarks, 2_000..6_000);
}

#[test]
fn a_hasty_removal_is_noticed() {
    is_noticed(Sabotage::RemoveUnconfirmed);
}

#[test]
fn an_owner_that_never_doubts_is_noticed() {
    is_noticed(Sabotage::NeverDoubt);
}
