//! Schedules that break a core which lacks one of its rules. Each was found by reasoning or by a random schedule.
//!
//! The nodes: `o` holds the shard and `s` stands by, `x` and `y` are others, `j` joins and is preferred to all.

use std::time::Duration;

use super::world::Script;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any time-out of the core.
const LONG: Duration = Duration::from_secs(8);

/// `o` holds, `s` stands by, and the others are there too.
fn started(names: &str) -> Script {
    let mut script = Script::new("josxy");
    script.start_together(names);
    script
}

mod custody {
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
}

mod leases {
    use super::*;

    #[test]
    fn a_holder_acts_while_it_has_its_standbys_word() {
        let mut script = started("osx");
        assert!(!script.may_act('o'));
        script.run();
        assert!(script.may_act('o'));
        script.hold('s', 'o');
        script.pass(SECOND);
        assert!(!script.may_act('o'));
        script.release('s', 'o');
        script.run();
        script.may_act('o');
        script.run();
        assert!(script.may_act('o'));
        script.end();
    }

    #[test]
    fn a_standby_keeps_its_word_when_the_holder_is_declared_dead() {
        let mut script = started("osx");
        script.may_act('o');
        script.run();
        assert!(script.may_act('o'));
        script.hold_both('o', 'x');
        script.declare_dead('o');
        script.all_see("sx");
        script.pass(Duration::from_millis(400));
        // The holder may still act: so nobody else does.
        assert!(script.may_act('o') && !script.serves('s'));
        script.pass(SECOND);
        assert!(!script.may_act('o') && script.serves('s'));
    }

    #[test]
    fn who_is_alone_needs_nobodys_word() {
        let mut script = started("o");
        assert!(script.may_act('o'));
        script.end();
    }

    #[test]
    fn the_word_of_a_standby_that_was_replaced_is_not_enough() {
        let mut script = Script::new("ojsx");
        script.start_together("osx");
        script.may_act('o');
        script.run();
        assert!(script.may_act('o'));
        script.start('j');
        script.all_see("osxj");
        script.run();
        assert!(!script.may_act('o'), "`j` has not said anything yet");
        script.run();
        assert!(script.may_act('o'));
        script.end();
    }
}

mod topics {
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
}
