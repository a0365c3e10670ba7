//! Nodes that lose each other, and find each other again.

use super::*;

/// `o` holds and `s` stands by, with the subscribers `x` and `y` and one publication that all have heard.
fn chatting() -> (Script, Said) {
    let mut script = started("osxy");
    script.subscribe('x');
    script.subscribe('y');
    script.run();
    let first = script.publish('x');
    script.run();
    assert!(script.heard('x') == [first] && script.heard('y') == [first]);
    (script, first)
}

/// The sides see each other again, and have settled who goes on.
fn reunited(script: &mut Script, all: &str) {
    script.heal();
    script.all_see(all);
    script.pass(LONG);
}

#[test]
fn of_two_sides_with_one_of_the_pair_each_one_goes_on() {
    let (mut script, first) = chatting();
    script.split(&["ox", "sy"]);
    script.pass(LONG);
    assert!(script.serves('o') && script.serves('s'));
    let at_o = script.publish('x');
    let at_s = script.publish('y');
    script.run();
    assert!(script.is_confirmed(at_o) && script.is_confirmed(at_s));
    assert!(script.heard('x') == [first, at_o] && script.heard('y') == [first, at_s]);
    reunited(&mut script, "osxy");
    assert!(script.serves('o') && !script.serves('s'));
    // One side has heard nothing but what goes on, the other one is told that it has to begin anew.
    assert_ne!(script.has_gap('x'), script.has_gap('y'));
    let (goes_on, kept) = if script.has_gap('x') {
        ('y', at_s)
    } else {
        ('x', at_o)
    };
    let last = script.publish('y');
    script.run();
    assert_eq!(script.heard(goes_on), [first, kept, last]);
    script.end();
}

#[test]
fn who_is_cut_off_alone_goes_on_and_finds_back() {
    for lonely in ["o", "s", "x"] {
        let (mut script, _) = chatting();
        let others: String = "osxy".chars().filter(|name| !lonely.contains(*name)).collect();
        script.split(&[lonely, &others]);
        script.pass(LONG);
        let said = script.publish('y');
        script.run();
        assert!(script.is_confirmed(said));
        reunited(&mut script, "osxy");
        let last = script.publish('o');
        script.run();
        assert!(script.heard('x').ends_with(&[last]) && script.heard('y').ends_with(&[last]));
        script.end();
    }
}

#[test]
fn the_history_of_the_pair_goes_on_rather_than_one_that_was_begun_without_it() {
    let (mut script, first) = chatting();
    let record = script.record('o');
    script.run();
    script.split(&["os", "xy"]);
    // The others wait for the pair, and begin anew.
    script.pass(2 * LONG);
    assert!(script.serves('o') && script.serves('x'));
    assert!(script.has_gap('y'), "nothing is left of what it has heard");
    let lost = script.publish('y');
    let kept = script.publish('o');
    script.run();
    assert!(script.is_confirmed(lost) && script.is_confirmed(kept));
    assert_eq!(script.heard('y'), [lost]);
    script.subscribe('s');
    script.run();
    reunited(&mut script, "osxy");
    assert!(script.serves('o') && !script.serves('x'));
    assert!(script.is_safe(record) && script.is_confirmed(kept));
    assert!(!script.has_gap('s'));
    let last = script.publish('y');
    script.run();
    assert_eq!(script.heard('s'), [last]);
    assert_eq!(script.heard('y'), [last]);
    assert!(first != last);
    script.end();
}

#[test]
fn a_standby_keeps_its_right_when_it_meets_a_history_that_was_begun_without_it() {
    let (mut script, _) = chatting();
    let record = script.record('o');
    script.run();
    script.split(&["os", "xy"]);
    script.pass(2 * LONG);
    assert!(script.serves('x'));
    // `s` hears of `x` first, and `o` dies before it does.
    script.heal();
    script.hold_both('o', 'x');
    script.hold_both('o', 'y');
    script.see('x', "sxy");
    script.see('y', "sxy");
    script.see('s', "osxy");
    script.run();
    script.kill('o');
    script.all_see("sxy");
    script.pass(LONG);
    assert!(script.serves('s') && !script.serves('x'));
    assert!(script.is_safe(record));
    script.end();
}

#[test]
fn three_sides_become_one() {
    let (mut script, _) = chatting();
    script.split(&["o", "s", "xy"]);
    script.pass(2 * LONG);
    assert!(script.serves('o') && script.serves('s') && script.serves('x'));
    for name in ['o', 's', 'x'] {
        script.record(name);
    }
    // Two of them find each other first.
    script.heal();
    script.see('s', "sxy");
    script.see('x', "sxy");
    script.see('y', "sxy");
    script.pass(LONG);
    script.all_see("osxy");
    script.pass(LONG);
    assert!(script.serves('o') && !script.serves('s') && !script.serves('x'));
    script.end();
}

#[test]
fn nodes_split_while_the_shard_moves() {
    for sides in [
        ["ox", "sj"],
        ["o", "sxj"],
        ["oj", "sx"],
        ["os", "xj"],
        ["osx", "j"],
    ] {
        for delivered in 0..12 {
            let mut script = started("osx");
            script.subscribe('x');
            let first = script.publish('x');
            script.start('j');
            script.hold('j', 'o');
            script.all_see("osxj");
            script.run();
            script.deliver('j', 'o', delivered);
            script.run();
            script.release('j', 'o');
            script.split(&sides);
            script.pass(2 * LONG);
            assert!(script.is_confirmed(first));
            script.publish('x');
            script.run();
            reunited(&mut script, "osxj");
            assert!(script.serves('j'), "{sides:?} after {delivered}");
            script.end();
        }
    }
}

/// `holder` hands the shard over to `j` when the sides meet: after so many messages of `j`, and with so many terms more on the
/// other side. In some of these the other side's term lies between the one in which `j` was named and the one that `j` is
/// promised: `j` is drawn away by it, and `holder` ends the other side by its promise. Which these are follows from the hashes
/// of the nodes.
fn meeting_in_a_move(holder: char, other: char, delivered: usize, terms: usize) {
    let (side, alone, far) = match holder {
        'o' => ("oxj", "s", "sy"),
        _ => ("syj", "o", "ox"),
    };
    let (mut script, _) = chatting();
    script.split(&["ox", "sy"]);
    script.pass(LONG);
    for term in 0..terms {
        // It loses its standby, and finds it again: one term each.
        script.see(other, if term % 2 == 0 { alone } else { far });
        script.run();
    }
    script.start_seeing('j', side);
    for stranger in far.chars() {
        script.cut('j', stranger);
    }
    script.hold('j', holder);
    script.see(holder, side);
    script.run();
    for _ in 0..delivered {
        script.deliver('j', holder, 1);
        script.run();
    }
    // What is not committed keeps the holder from handing over at once.
    if script.serves(holder) {
        script.record(holder);
        script.deliver('j', holder, 1);
        script.run();
    }
    // The one that joins hears that there is another side, and no more of it until the two holders have met.
    script.hold(other, 'j');
    script.heal();
    script.see(other, "josxy");
    script.see('j', "josxy");
    script.deliver(other, 'j', 1);
    script.run();
    script.all_see("josxy");
    script.pass(SECOND);
    script.release(other, 'j');
    script.release('j', holder);
    script.pass(2 * LONG);
    assert!(script.serves('j'), "{holder} after {delivered}, {terms}");
    script.end();
}

#[test]
fn sides_meet_while_one_of_them_moves_the_shard() {
    for (holder, other) in [('o', 's'), ('s', 'o')] {
        for delivered in 0..12 {
            for terms in 0..6 {
                meeting_in_a_move(holder, other, delivered, terms);
            }
        }
    }
}

#[test]
fn a_candidate_that_still_asks_meets_the_holder() {
    let (mut script, first) = chatting();
    script.split(&["ox", "sy"]);
    script.hold('y', 's');
    script.pass(LONG);
    assert!(!script.serves('s'), "`y` has not answered");
    let second = script.publish('x');
    script.run();
    script.heal();
    script.release('y', 's');
    script.all_see("osxy");
    script.pass(LONG);
    assert!(script.serves('o') && !script.serves('s'));
    assert!(script.is_confirmed(second));
    assert_eq!(script.heard('x'), [first, second]);
    assert_eq!(script.heard('y'), [first, second]);
    script.end();
}

#[test]
fn what_was_not_confirmed_is_published_to_the_history_that_goes_on() {
    let (mut script, first) = chatting();
    script.split(&["os", "xy"]);
    script.hold('x', 'y');
    let said = script.publish('y');
    script.pass(2 * LONG);
    assert!(!script.is_confirmed(said));
    script.release('x', 'y');
    reunited(&mut script, "osxy");
    assert!(script.is_confirmed(said));
    let again = script.publish('y');
    script.run();
    assert!(script.heard('y').ends_with(&[again]));
    assert!(first != said);
    script.end();
}

#[test]
fn a_subscriber_that_was_taken_for_dead_hears_all_when_it_is_seen_again() {
    let (mut script, first) = chatting();
    // `x` knows nothing of that, and its link holds.
    script.mistake('o', "osy");
    let missed = script.publish('y');
    script.pass(SECOND);
    script.see('o', "osxy");
    script.run();
    let last = script.publish('y');
    script.run();
    assert_eq!(script.heard('x'), [first, missed, last]);
    assert!(!script.has_gap('x'));
    script.end();
}

#[test]
fn a_standby_that_was_taken_for_dead_is_brought_into_step() {
    let (mut script, first) = chatting();
    script.mistake('o', "oxy");
    script.pass(SECOND);
    let record = script.record('o');
    script.run();
    assert!(script.is_safe(record));
    script.see('o', "osxy");
    script.pass(SECOND);
    let last = script.record('o');
    script.run();
    assert!(script.is_safe(last));
    script.kill('o');
    script.all_see("sxy");
    script.pass(LONG);
    assert!(script.serves('s') && script.is_safe(record) && script.is_safe(last));
    assert_eq!(script.heard('x'), [first]);
    script.end();
}
