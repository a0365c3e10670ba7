//! Whole clusters of [`Node`](crate::Node)s on the real replicated core, with clients, a network, deaths and time that a
//! seed decides about, or a schedule that is written down.
//!
//! `HITHER_SIMULATIONS` sets how many seeds are tried, `HITHER_SEED` tries one and prints its story.

mod app;
mod client;
mod counts;
mod judge;
mod mutant;
mod people;
mod random;
mod scenarios;
mod settle;
mod world;

pub(crate) use mutant::Mutant;

use std::env;

use self::random::Random;

/// Lines of a story that are printed: a failure is mostly about what was last.
const LAST_LINES: usize = 300;
/// So many schedules are tried. These take about 6 s.
const SCHEDULES: u64 = 300;

/// What nobody may see happen.
type Verdict = Result<(), String>;

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().expect("a number"))
}

fn story(seed: u64, mutant: Option<Mutant>) -> String {
    let mut random = Random::new(seed, mutant, true);
    let end = match random.run() {
        Ok(()) => "all is well".to_owned(),
        Err(violation) => violation,
    };
    let story = random.story();
    let skipped = match number("HITHER_SEED") {
        Some(_) => 0,
        None => story.len().saturating_sub(LAST_LINES),
    };
    format!(
        "{}\nagain: HITHER_SEED={seed}\n{end}",
        story[skipped..].join("\n")
    )
}

fn fails(seed: u64, mutant: Option<Mutant>) -> bool {
    Random::new(seed, mutant, false).run().is_err()
}

#[test]
fn what_was_answered_survives_and_is_told_once() {
    let seeds = match number("HITHER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HITHER_SIMULATIONS").unwrap_or(SCHEDULES),
    };
    for seed in seeds {
        if fails(seed, None) {
            panic!("{}", story(seed, None));
        }
    }
}

/// A node with this mistake does harm that the judge sees: else the simulation proves nothing about it.
fn is_caught(mutant: Mutant) {
    let caught = (0..1_000).find(|seed| fails(*seed, Some(mutant)));
    assert!(caught.is_some(), "{mutant:?} does no harm");
}

macro_rules! caught {
    ($($name:ident: $mutant:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                is_caught(Mutant::$mutant);
            }
        )+
    };
}

caught! {
    output_before_its_commit_is_caught: ReleaseEarly,
    records_without_the_steps_before_are_caught: LeaveStepsBehind,
    records_without_answers_are_caught: LeaveAnswersBehind,
    records_without_what_is_sent_are_caught: LeaveSendsBehind,
    records_without_frames_are_caught: LeaveFramesBehind,
    acks_that_stay_awaited_are_caught: KeepAcks,
    forgotten_senders_are_caught: ForgetSenders,
    answers_before_confirmations_are_caught: AnswerUnconfirmed,
    frames_handled_twice_are_caught: HandleFramesTwice,
    direct_events_told_twice_are_caught: HearDirectsTwice,
    refusals_without_a_lease_are_caught: RefuseWithoutLease,
    former_attachments_that_are_heard_are_caught: HearFormerAttachments,
    copies_that_know_nothing_of_each_other_are_caught: ForgetEarlierCopies,
}
