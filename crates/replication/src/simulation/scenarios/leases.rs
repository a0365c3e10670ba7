//! Until when a holder may act without an entry.

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
