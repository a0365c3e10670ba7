//! Whole clusters of [`Core`](crate::Core)s, with a network, deaths and time that a seed decides about.
//!
//! Everything that happens is one step of a schedule; a [judge](judge::Judge) who sees everything says whether it may
//! be. `HITHER_SIMULATIONS` sets how many seeds are tried, `HITHER_SEED` tries one and prints its story.

mod encoding;
mod judge;
mod mutant;
mod network;
mod node;
mod scenarios;
mod world;

pub(crate) use self::node::{Record, Records};

use std::{env, ops::Range};

use self::{
    mutant::Mutant,
    world::{Faults, World},
};

/// Lines of a story that are printed: a failure is mostly about what was last.
const LAST_LINES: usize = 400;

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().expect("a number"))
}

fn story(seed: u64, faults: Faults) -> String {
    let mut world = World::new(seed, faults, true);
    let end = match world.run() {
        Ok(()) => "all is well".to_owned(),
        Err(violation) => violation,
    };
    let story = world.story();
    let skipped = match number("HITHER_SEED") {
        Some(_) => 0,
        None => story.len().saturating_sub(LAST_LINES),
    };
    format!(
        "{}\nagain: HITHER_SEED={seed} with {faults:?}\n{end}",
        story[skipped..].join("\n")
    )
}

fn first_failure(faults: Faults, mut seeds: impl Iterator<Item = u64>) -> Option<u64> {
    seeds.find(|seed| World::new(*seed, faults, false).run().is_err())
}

fn holds(faults: Faults) {
    let seeds = match number("HITHER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HITHER_SIMULATIONS").unwrap_or(500),
    };
    if let Some(seed) = first_failure(faults, seeds) {
        panic!("{}", story(seed, faults));
    }
}

/// A core with this mistake does harm that the judge sees: else the simulation proves nothing about it.
fn is_caught(mutant: Mutant) {
    is_caught_by(mutant, 0..2_000);
}

fn is_caught_by(mutant: Mutant, mut seeds: Range<u64>) {
    let faults = Faults {
        deaths: true,
        resets: true,
        splits: matches!(mutant, Mutant::ForgetBreaks | Mutant::LoseReturned),
        mutant: Some(mutant),
    };
    assert!(
        first_failure(faults, &mut seeds).is_some(),
        "{mutant:?} does no harm"
    );
}

#[test]
fn nothing_is_lost_when_nodes_join_and_links_fail() {
    holds(Faults {
        deaths: false,
        resets: true,
        splits: false,
        mutant: None,
    });
}

#[test]
fn nothing_is_lost_when_one_node_dies_at_a_time() {
    holds(Faults {
        deaths: true,
        resets: true,
        splits: false,
        mutant: None,
    });
}

#[test]
fn one_history_goes_on_after_a_split() {
    holds(Faults {
        deaths: true,
        resets: true,
        splits: true,
        mutant: None,
    });
}

#[test]
fn acknowledging_what_was_not_appended_is_caught() {
    is_caught(Mutant::AcknowledgeUnread);
}

#[test]
fn losing_a_publication_on_the_way_is_caught() {
    is_caught(Mutant::LosePublications);
}

#[test]
fn accepting_a_publication_twice_is_caught() {
    is_caught(Mutant::ForgetProducers);
}

#[test]
fn accepting_a_publication_before_its_predecessor_is_caught() {
    is_caught(Mutant::IgnorePrevious);
}

#[test]
fn promotion_without_asking_is_caught() {
    is_caught(Mutant::PromoteUnasked);
}

#[test]
fn releasing_before_the_commit_is_caught() {
    is_caught(Mutant::ReleaseEarly);
}

#[test]
fn subscriptions_that_are_not_renewed_are_caught() {
    is_caught(Mutant::KeepSubscriptions);
}

#[test]
fn acting_on_a_lease_that_was_not_given_is_caught() {
    is_caught(Mutant::GrantUnasked);
}

#[test]
fn acting_after_the_lease_is_caught() {
    is_caught(Mutant::OverstayLease);
}

#[test]
fn a_replay_with_a_hole_is_caught() {
    is_caught(Mutant::ReplayWithHoles);
}

#[test]
fn joining_a_topic_in_its_past_is_caught() {
    is_caught(Mutant::BeginTooEarly);
}

#[test]
fn telling_each_copy_is_caught() {
    is_caught(Mutant::ForgetEarlierCopies);
}

#[test]
fn naming_a_change_before_the_commit_is_caught() {
    is_caught(Mutant::CommitChangesEarly);
}

#[test]
fn an_offset_that_lags_is_caught() {
    is_caught(Mutant::LoseOffsets);
}

#[test]
fn a_learner_that_promotes_itself_is_caught() {
    is_caught(Mutant::NameTooEarly);
}

#[test]
fn a_history_without_its_past_that_prevails_is_caught() {
    is_caught(Mutant::ForgetBreaks);
}

#[test]
fn who_does_not_know_that_it_was_taken_for_dead_is_caught() {
    is_caught(Mutant::LoseReturned);
}
