//! Two nodes of one name: which of them gives way.

use super::{Record, Roster};
use crate::membership::Unfit;

impl Roster {
    /// Whether an earlier life of this node's name may live elsewhere. Soon it has either shown that it does, or been silent
    /// for so long that it does not.
    pub(in crate::membership) fn is_name_in_doubt(&self) -> bool {
        self.earlier_lives()
            .any(|record| record.pulse.may_live(&self.timing))
    }

    /// A later life of this node's name that is up. One that only wants to join gives way itself.
    pub(super) fn superseded(&self) -> Option<Unfit> {
        let me = &self.me.id;
        let (by, _) = self
            .living()
            .find(|(id, record)| id.name == me.name && id.incarnation > me.incarnation && record.is_up())?;
        Some(Unfit::Superseded { by: by.clone() })
    }

    /// An earlier life of this node's name that surely lives elsewhere. Who is up gives way to nobody earlier.
    pub(super) fn name_taken(&self) -> Option<Unfit> {
        let mut earlier = self.earlier_lives();
        let record = earlier.find(|record| record.pulse.surely_lives(&self.timing))?;
        Some(Unfit::NameTaken {
            by: record.sighting.id.clone(),
            at: record.sighting.gossip,
        })
    }

    /// Earlier lives of this node's name at other addresses, which have not left. The life before this one at the same
    /// address has ended, for it has freed the port.
    fn earlier_lives(&self) -> impl Iterator<Item = &Record> {
        let me = &self.me;
        self.records
            .range(..&me.id)
            .map(|(_, record)| record)
            .filter(|record| record.sighting.id.name == me.id.name)
            .filter(|record| record.sighting.gossip != me.gossip && !record.is_gone())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::world::*, *};
    use crate::{member::Phase, membership::advertisement::Stage};

    #[test]
    fn a_later_life_of_my_name_that_is_up_supersedes_me_and_one_that_joins_does_not() {
        let mut world = World::new();
        world.roster.set_phase(Phase::Up);
        world.start("me", 4);
        assert_eq!(world.run(5), [""; 0]);
        assert_eq!(
            world.roster.unfit(),
            None,
            "who is up gives way to nobody earlier"
        );
        world.start("me", 6);
        assert_eq!(world.run(5), ["me#6 has my name"]);
        assert_eq!(world.roster.unfit(), None);
        world.stage("me", 6, Stage::In(Phase::Up));
        world.run(5);
        assert_eq!(world.roster.unfit(), Some(Unfit::Superseded { by: id("me", 6) }));
        assert_eq!(world.members(), ["me#5"]);
    }

    #[test]
    fn who_joins_under_the_name_of_one_that_lives_elsewhere_gives_way() {
        let mut world = World::new();
        let at = world.start("me", 4).gossip;
        for _ in 1..15 {
            world.run(1);
            assert_eq!(world.roster.unfit(), None);
            assert!(world.roster.is_name_in_doubt());
        }
        // For three confirm times.
        world.run(1);
        assert_eq!(
            world.roster.unfit(),
            Some(Unfit::NameTaken { by: id("me", 4), at })
        );
        world.roster.set_phase(Phase::Up);
        assert_eq!(
            world.roster.unfit(),
            None,
            "who is up gives way to nobody earlier"
        );
    }

    #[test]
    fn who_joins_under_the_name_of_one_that_is_held_up_waits_until_it_lives_or_is_dead() {
        let mut world = World::new();
        world.start("me", 4);
        world.run(5);
        world.stop("me", 4);
        world.run(39);
        assert!(world.roster.is_name_in_doubt());
        assert_eq!(world.roster.unfit(), None);
        world.run(1);
        assert!(!world.roster.is_name_in_doubt());
        assert_eq!(world.roster.unfit(), None);
    }

    #[test]
    fn one_that_gives_way_supersedes_nobody() {
        let mut world = World::new();
        world.roster.set_phase(Phase::Up);
        world.start("a", 1);
        world.stage("a", 1, Stage::In(Phase::Up));
        world.run(5);
        for phase in [Phase::Joining, Phase::Leaving] {
            for name in ["a", "me"] {
                world.start(name, 6).gossip = address(7002);
                world.stage(name, 6, Stage::In(phase));
            }
            world.run(5);
            assert_eq!(world.roster.unfit(), None);
            assert_eq!(world.members(), ["a#1", "me#5"]);
        }
    }

    #[test]
    fn an_earlier_life_that_has_ended_is_no_obstacle() {
        // Killed, and others still pass on its last heartbeat.
        let mut world = World::new();
        world.start("me", 4);
        world.stop("me", 4);
        world.run(1);
        assert!(world.roster.is_name_in_doubt());
        world.run(5);
        assert!(!world.roster.is_name_in_doubt());
        assert_eq!(world.roster.unfit(), None);
        // Left in order; or replaced by this one.
        let mut world = World::new();
        world.start("me", 3).advertisement.as_mut().unwrap().stage = Stage::Gone;
        world.start("me", 4).gossip = address(7000);
        world.run(5);
        assert!(!world.roster.is_name_in_doubt());
        assert_eq!(world.roster.unfit(), None);
    }

    #[test]
    fn one_that_joins_under_the_name_of_a_member_elsewhere_is_not_taken_for_its_next_life() {
        let mut world = World::new();
        world.start("a", 1);
        world.stage("a", 1, Stage::In(Phase::Up));
        world.run(5);
        world.start("a", 2).gossip = address(7002);
        assert_eq!(world.run(5), [""; 0]);
        assert_eq!(world.members(), ["a#1", "me#5"]);
        // Nor is it lost sight of, should the earlier end.
        world.stop("a", 1);
        world.run(45);
        assert_eq!(world.members(), ["a#2", "me#5"]);
    }

    #[test]
    fn one_that_is_up_under_the_name_of_a_member_elsewhere_is_its_next_life() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.start("a", 2).gossip = address(7002);
        world.stage("a", 2, Stage::In(Phase::Up));
        assert_eq!(world.run(5), ["a#1 lost: it has restarted", "a#2 Up"]);
    }
}
