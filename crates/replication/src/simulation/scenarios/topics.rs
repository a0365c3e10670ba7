//! What is published and heard.

use super::*;

#[test]
fn what_only_the_dead_holder_had_was_heard_by_nobody() {
    let mut script = started("osx");
    script.subscribe('x');
    script.run();
    script.hold('o', 's');
    let said = script.publish('o');
    script.run();
    assert!(script.heard('x').is_empty() && !script.is_confirmed(said));
    script.kill('o');
    script.all_see("sx");
    script.pass(LONG);
    let later = script.publish('x');
    script.run();
    assert_eq!(script.heard('x'), [later]);
    script.end();
}

#[test]
fn the_last_word_of_a_quiet_topic_is_not_lost_with_a_link() {
    let mut script = started("osx");
    script.subscribe('x');
    script.run();
    script.hold('o', 'x');
    let said = script.publish('o');
    script.run();
    script.reset('o', 'x');
    script.release('o', 'x');
    script.run();
    assert_eq!(script.heard('x'), [said]);
    script.end();
}

#[test]
fn nothing_is_forgotten_before_all_have_said_what_they_want() {
    let mut script = Script::keeping("osxy", 2_000);
    script.start_together("osxy");
    script.subscribe('y');
    script.run();
    // `y` knows late that the holder has died, and a lively topic goes on meanwhile.
    script.hold('y', 's');
    script.kill('o');
    script.all_see("sxy");
    script.pass(2 * SECOND);
    script.deliver('y', 's', 1);
    script.run();
    assert!(script.serves('s'));
    for _ in 0..200 {
        script.publish('x');
        script.run();
    }
    assert!(script.kept('s') >= 200);
    script.release('y', 's');
    script.run();
    assert_eq!(script.heard('y').len(), 200);
    assert!(!script.has_gap('y'));
    for _ in 0..10 {
        script.publish('x');
        script.run();
    }
    assert!(script.kept('s') < 100, "now they are forgotten");
    script.end();
}

#[test]
fn a_publication_of_the_new_holder_overtakes_one_of_the_old() {
    let mut script = started("osx");
    script.subscribe('x');
    script.run();
    script.hold('o', 'x');
    let first = script.publish('o');
    script.start('j');
    script.all_see("osxj");
    script.run();
    assert!(script.serves('j'));
    let second = script.publish('j');
    script.run();
    script.release('o', 'x');
    script.run();
    assert_eq!(script.heard('x'), [first, second]);
    script.end();
}

#[test]
fn the_end_of_a_subscription_comes_late_to_a_new_holder() {
    let mut script = started("osx");
    script.subscribe('x');
    script.run();
    script.hold('x', 'o');
    script.unsubscribe('x');
    script.start('j');
    script.hold('x', 'j');
    script.all_see("osxj");
    script.subscribe('x');
    script.run();
    script.release('x', 'j');
    script.release('x', 'o');
    script.run();
    let said = script.publish('o');
    script.run();
    assert_eq!(script.heard('x'), [said]);
    script.end();
}

#[test]
fn a_publisher_is_not_confirmed_what_a_holder_refused() {
    let mut script = started("osx");
    // The new holder is told to take over, and does not serve before the old one agrees.
    script.start('j');
    script.hold('j', 'o');
    script.all_see("osxj");
    for _ in 0..10 {
        if !script.serves('o') {
            break;
        }
        script.deliver('j', 'o', 1);
        script.run();
    }
    let said: Vec<_> = (0..4).map(|_| script.publish('x')).collect();
    script.run();
    assert!(said.iter().all(|said| !script.is_confirmed(*said)));
    script.release('j', 'o');
    script.pass(SECOND);
    assert!(said.iter().all(|said| script.is_confirmed(*said)));
    script.end();
}

#[test]
fn a_repetition_is_recognised_though_the_entry_is_forgotten() {
    let mut script = Script::keeping("osxy", 2_000);
    script.start_together("osxy");
    script.subscribe('x');
    script.run();
    // The publication arrives, the word that it did does not.
    script.hold('o', 'y');
    let said = script.publish('y');
    script.run();
    for _ in 0..100 {
        script.publish('x');
        script.run();
    }
    assert!(script.kept('o') < 50);
    assert!(!script.is_confirmed(said));
    script.release('o', 'y');
    script.reset('o', 'y');
    script.run();
    assert!(script.is_confirmed(said));
    let times = script.heard('x').iter().filter(|heard| **heard == said).count();
    assert_eq!(times, 1);
    script.end();
}

#[test]
fn a_repetition_is_recognised_by_who_takes_over() {
    let mut script = started("osx");
    script.subscribe('x');
    script.run();
    script.hold('o', 'x');
    let said = script.publish('x');
    script.run();
    assert!(!script.is_confirmed(said));
    script.kill('o');
    script.all_see("sx");
    script.pass(LONG);
    assert!(script.is_confirmed(said));
    assert_eq!(script.heard('x'), [said]);
    script.end();
}

#[test]
fn two_nodes_stand_by_for_each_other_and_are_both_busy() {
    // `o` waits for `s` as a holder; `s` publishes more than its window to `o`. Neither waits for the other's room.
    let mut script = Script::narrow("os");
    script.start_together("os");
    script.subscribe('s');
    script.run();
    script.hold('o', 's');
    let said: Vec<_> = (0..500).map(|_| script.publish('s')).collect();
    for _ in 0..20 {
        script.record('o');
    }
    script.run();
    script.release('o', 's');
    script.run();
    assert!(said.iter().all(|said| script.is_confirmed(*said)));
    assert_eq!(script.heard('s').len(), said.len());
    script.end();
}

#[test]
fn what_waits_at_a_dead_holder_is_sent_again_in_order() {
    let mut script = started("osx");
    script.subscribe('s');
    script.run();
    script.hold('x', 'o');
    let said: Vec<_> = (0..5).map(|_| script.publish('x')).collect();
    script.deliver('x', 'o', 2);
    script.run();
    script.kill('o');
    script.all_see("sx");
    script.pass(LONG);
    assert_eq!(script.heard('s'), said);
    script.end();
}
