//! What happens when something is full.

use super::*;
use crate::Settings;

/// `o` holds, `s` stands by, `x` subscribes.
fn bounded(settings: Settings) -> Script {
    let mut script = Script::bounded("josxy", settings);
    script.start_together("osx");
    script.subscribe('x');
    script.run();
    script
}

#[test]
fn a_full_log_takes_nothing_until_the_standby_answers() {
    let (kept, backlog) = (2_000, 3_000);
    let mut script = bounded(Settings {
        kept_bytes: kept,
        backlog_bytes: backlog,
        ..Settings::default()
    });
    assert!(!script.may_act('o'));
    script.run();
    assert!(script.may_act('o'));
    script.hold('s', 'o');
    let said: Vec<Said> = (0..100).map(|_| script.publish('x')).collect();
    script.pass(SECOND);
    let most = kept + kept / 4 + backlog;
    // One entry more, for a bound is looked at before it.
    assert!(script.log_bytes('o') >= most && script.log_bytes('o') < most + 500);
    assert!(!script.is_confirmed(said[0]) && !script.may_act('o'));
    script.release('s', 'o');
    script.pass(SECOND);
    assert!(script.is_confirmed(said[99]));
    script.may_act('o');
    script.run();
    assert!(script.may_act('o'));
    assert_eq!(script.heard('x'), said);
    assert!(script.log_bytes('o') < most);
    script.end();
}

#[test]
fn publications_that_find_no_room_are_rejected_until_some_are_confirmed() {
    let mut script = bounded(Settings {
        pending_bytes: 2_000,
        ..Settings::default()
    });
    script.hold('x', 'o');
    let said: Vec<Said> = (0..100).map(|_| script.publish('x')).collect();
    script.run();
    let rejected = script.count("rejected");
    assert!(rejected > 50 && rejected < 99, "{rejected}");
    assert!(!script.is_writable('x'));
    script.release('x', 'o');
    script.run();
    assert!(script.is_writable('x'));
    assert_eq!(script.heard('x'), said[..100 - rejected]);
    let last = script.publish('x');
    script.run();
    assert_eq!(script.heard('x').last(), Some(&last));
    script.end();
}

#[test]
fn no_more_replays_are_asked_for_at_once_than_there_is_room_for() {
    let mut script = bounded(Settings {
        kept_bytes: usize::MAX / 2,
        message_bytes: 500,
        window_bytes: 2_000,
        ..Settings::default()
    });
    for _ in 0..10 {
        script.publish('x');
        script.run();
    }
    script.hold('o', 'x');
    for _ in 0..20 {
        script.replay('x');
    }
    script.run();
    assert_eq!(script.count("x#3 -> o#1 [0] Replay("), 4);
    script.release('o', 'x');
    script.run();
    assert!(script.count("last: true") >= 20);
    script.end();
}

#[test]
fn a_publication_that_is_repeated_is_confirmed_once() {
    let mut script = bounded(Settings::default());
    script.hold('s', 'o');
    let said = script.publish('x');
    script.pass(5 * SECOND);
    assert!(script.count("x#3 -> o#1 [0] Publish") > 10);
    script.release('s', 'o');
    script.run();
    assert!(script.is_confirmed(said));
    assert_eq!(script.count("o#1 -> x#3 [0] Confirm"), 1);
    script.end();
}
