//! Who holds a shard.

use super::*;

#[test]
fn who_should_hold_a_shard_does_not_answer_for_it_before_it_does() {
    let mut script = started("osx");
    script.start('j');
    // `j` sees that it is to hold; `o` does not see `j` yet.
    script.see('j', "osxj");
    script.see('x', "osxj");
    script.run();
    let said = script.publish('x');
    let record = script.record('o');
    script.pass(SECOND);
    assert!(!script.serves('j') && script.serves('o'));
    assert!(script.is_confirmed(said) && script.is_safe(record));
    script.all_see("osxj");
    script.run();
    assert!(script.serves('j') && !script.serves('o'));
    script.end();
}

#[test]
fn two_nodes_join_and_are_seen_one_after_the_other() {
    let mut script = Script::new("ijosx");
    script.start_together("osx");
    script.record('o');
    script.start('j');
    script.start('i');
    // `o` sees one of the two, which sees both.
    script.see('o', "osxj");
    script.see('j', "osxij");
    script.hold('i', 'j');
    script.run();
    assert!(script.serves('j'));
    let record = script.record('j');
    script.run();
    assert!(script.is_safe(record));
    script.release('i', 'j');
    script.run();
    assert!(script.serves('i') && !script.serves('j'));
    script.end();
}

#[test]
fn a_standby_that_is_replaced_has_no_right_any_more() {
    let mut script = Script::new("ojsx");
    script.start_together("osx");
    script.start('j');
    // `s` does not see the node that takes its place, and its word is on its way for long.
    script.hold('o', 's');
    script.see('o', "osxj");
    script.run();
    let record = script.record('o');
    script.run();
    assert!(!script.is_safe(record), "the former standby is not discharged");
    script.release('o', 's');
    script.run();
    let later = script.record('o');
    script.run();
    assert!(script.is_safe(record) && script.is_safe(later));
    script.kill('o');
    script.see('s', "sx");
    script.pass(LONG);
    assert!(!script.serves('s'), "it does not have what the new standby has");
    script.all_see("sxj");
    script.pass(LONG);
    script.end();
}

#[test]
fn a_holder_does_not_go_on_alone_for_a_link_that_is_cut() {
    let mut script = started("osx");
    script.cut('o', 's');
    let record = script.record('o');
    script.pass(LONG);
    assert!(!script.is_safe(record));
    script.kill('o');
    script.all_see("sx");
    script.pass(LONG);
    assert!(script.serves('s'));
    script.end();
}

#[test]
fn a_holder_goes_on_when_its_standby_is_dead() {
    let mut script = started("osx");
    script.kill('s');
    let record = script.record('o');
    script.run();
    assert!(!script.is_safe(record));
    script.all_see("ox");
    script.run();
    assert!(script.is_safe(record));
    script.end();
}

#[test]
fn a_standby_serves_nothing_before_all_have_said_what_they_hold() {
    let mut script = started("osx");
    script.kill('o');
    script.hold('x', 's');
    script.all_see("sx");
    script.pass(LONG);
    assert!(!script.serves('s'));
    script.release('x', 's');
    script.run();
    assert!(script.serves('s'));
    script.end();
}

#[test]
fn who_is_asked_may_die_before_it_answers() {
    let mut script = started("osxy");
    script.kill('o');
    script.hold('x', 's');
    script.all_see("sxy");
    script.pass(LONG);
    assert!(!script.serves('s'));
    script.kill('x');
    script.all_see("sy");
    script.run();
    assert!(script.serves('s'));
    script.end();
}

#[test]
fn who_joins_while_all_are_asked_is_asked_too() {
    let mut script = started("osx");
    script.kill('o');
    script.hold('x', 's');
    script.all_see("sx");
    script.run();
    script.start('y');
    script.hold('y', 's');
    script.all_see("sxy");
    script.release('x', 's');
    script.pass(SECOND);
    assert!(!script.serves('s'));
    script.release('y', 's');
    script.run();
    assert!(script.serves('s'));
    script.end();
}

#[test]
fn who_thinks_that_both_of_a_pair_are_dead_waits_before_it_begins_anew() {
    let mut script = started("osx");
    let record = script.record('o');
    script.run();
    script.hold_both('o', 'x');
    script.hold_both('s', 'x');
    script.see('x', "x");
    script.pass(SECOND);
    assert!(!script.serves('x'));
    assert!(script.is_safe(record) && script.serves('o'));
}

#[test]
fn the_new_holder_dies_before_anybody_hears_of_it() {
    let mut script = started("osx");
    script.start('j');
    script.hold('j', 'o');
    script.all_see("osxj");
    // Until `j` is told that it holds, what it says as a learner and as the standby must arrive.
    for _ in 0..10 {
        script.deliver('j', 'o', 1);
        script.run();
        if !script.serves('o') {
            break;
        }
    }
    assert!(!script.serves('j'), "nobody has acknowledged its term");
    script.kill('j');
    script.all_see("osx");
    script.pass(LONG);
    assert!(script.serves('o'));
    script.record('o');
    script.end();
}

#[test]
fn a_holder_that_restarts_at_once_is_dead_nevertheless() {
    let mut script = started("osx");
    let record = script.record('o');
    script.run();
    assert!(script.is_safe(record));
    script.kill('o');
    script.start('o');
    script.all_see("osx");
    script.pass(LONG);
    assert!(
        script.serves('o'),
        "it got the shard back, with all that is in it"
    );
    script.end();
}

#[test]
fn a_joiner_that_does_not_see_the_standby_does_not_take_over() {
    let mut script = started("osx");
    let record = script.record('o');
    script.run();
    assert!(script.is_safe(record));
    script.kill('o');
    script.start_seeing('j', "xj");
    script.hold_both('j', 's');
    script.see('x', "sxj");
    script.pass(LONG);
    assert!(!script.serves('j'), "the standby has what it lacks");
    script.release_both('j', 's');
    script.all_see("sxj");
    script.pass(LONG);
    script.end();
}

#[test]
fn a_learner_that_is_dropped_has_no_right() {
    let mut script = Script::new("ojsx");
    script.start_together("osx");
    script.start('j');
    script.hold('j', 'o');
    script.see('o', "osxj");
    script.see('j', "osxj");
    script.run();
    // The learner has a copy. Its word does not arrive, and the holder changes its mind.
    let record = script.record('o');
    script.see('o', "osx");
    script.run();
    assert!(script.is_safe(record));
    script.kill('o');
    script.see('j', "sxj");
    script.pass(LONG);
    assert!(!script.serves('j'));
    script.see('s', "sxj");
    script.see('x', "sxj");
    script.pass(LONG);
    script.end();
}

#[test]
fn the_best_copy_goes_on_when_nobody_is_in_step() {
    let mut script = Script::losing("osxy");
    script.start_together("osx");
    script.subscribe('x');
    script.run();
    script.publish('o');
    script.run();
    script.kill('s');
    script.hold('o', 'x');
    script.see('o', "ox");
    script.publish('o');
    script.run();
    script.kill('o');
    script.start('y');
    script.all_see("xy");
    script.pass(LONG);
    assert!(script.serves('x'));
    script.publish('y');
    script.run();
    assert_eq!(script.heard('x').len() + usize::from(script.has_gap('x')), 2);
}

#[test]
fn when_a_pair_is_lost_its_subscribers_are_told_of_a_gap() {
    let mut script = Script::losing("osxy");
    script.start_together("osxy");
    script.subscribe('x');
    script.run();
    script.publish('y');
    script.run();
    assert_eq!(script.heard('x').len(), 1);
    script.kill('o');
    script.kill('s');
    script.all_see("xy");
    script.pass(LONG);
    assert!(script.serves('x'));
    assert!(script.has_gap('x'), "what was numbered before is not comparable");
    script.publish('y');
    script.run();
    assert_eq!(script.heard('x').len(), 1);
}

#[test]
fn a_holder_that_was_asleep_learns_that_it_is_over() {
    let mut script = started("osx");
    script.hold_both('o', 's');
    script.hold_both('o', 'x');
    script.declare_dead('o');
    script.all_see("sx");
    script.pass(LONG);
    assert!(script.serves('s') && script.serves('o'));
    // What it appends is refused, and counts for nobody.
    let record = script.record('o');
    script.release_both('o', 's');
    script.release_both('o', 'x');
    script.pass(SECOND);
    assert!(!script.is_safe(record));
}

#[test]
fn who_comes_late_is_told_who_holds() {
    let mut script = started("os");
    script.start('x');
    script.all_see("osx");
    script.run();
    let said = script.publish('x');
    script.run();
    assert!(script.is_confirmed(said));
    script.end();
}
