//! Everybody this node has heard of, and the view that follows from it. No IO, no clock.

mod namesakes;
#[cfg(test)]
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use super::{
    MembershipTiming, Unfit,
    advertisement::{Advertisement, Stage},
    pulse::{Death, Pulse},
};
use crate::{
    member::{Member, NodeId, NodeName, Phase, View},
    version::WireVersions,
};

/// What gossip says of another node now.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub(super) id: NodeId,
    pub(super) gossip: SocketAddr,
    pub(super) heartbeat: u64,
    /// What it says of itself; `None` while that is under way.
    pub(super) advertisement: Option<Advertisement>,
    /// How often it says that it has counted this node out.
    pub(super) counted_me_out: u64,
}

/// What an observation changed, in the order in which it is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A member was not in the view before.
    Appeared(Member),
    /// A member has gone on to another phase.
    Changed(Member),
    /// A member is no longer in the view.
    Disappeared(Member, Departure),
    /// A node lives that cannot be a member.
    Refused(NodeId, Misfit),
    /// A member has counted this node out.
    CountedOut(NodeId),
    /// Another node tries to join under this node's name, from there.
    Namesake(NodeId, SocketAddr),
    /// The last is heard of a name, for it was forgotten.
    Forgotten(NodeName),
}

/// Why a node that lives cannot be a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error("it is configured for {0} shards")]
    Shards(u32),
    #[error("its wire versions are {0} (oldest-newest:broadcast)")]
    Versions(WireVersions),
}

/// Why a member is no longer in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Departure {
    #[error("it has left")]
    Left,
    #[error(transparent)]
    Died(Death),
    #[error("it has restarted")]
    Restarted,
}

/// Everybody this node has heard of.
pub(super) struct Roster {
    me: Member,
    shards: u32,
    timing: MembershipTiming,
    records: BTreeMap<NodeId, Record>,
    /// A seed that does not understand this node, and what it speaks.
    foreign_seed: Option<(SocketAddr, WireVersions)>,
    view: View,
}

struct Record {
    sighting: Sighting,
    pulse: Pulse,
    death: Option<Death>,
    counted_me_out: u64,
    refused: bool,
}

impl Roster {
    pub(super) fn new(me: Member, shards: u32, timing: MembershipTiming) -> Self {
        let members = [(me.id.name.clone(), me.clone())].into();
        let view = View {
            me: me.id.clone(),
            members,
        };
        Self {
            me,
            shards,
            timing,
            records: BTreeMap::new(),
            foreign_seed: None,
            view,
        }
    }

    /// The members as of the last change.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Whether any other node has ever been found alive.
    pub(super) fn has_company(&self) -> bool {
        self.records
            .values()
            .any(|record| record.pulse.is_alive() || record.death.is_some())
    }

    /// This node is so far in its life, and never goes back: who leaves before it was *up* is not *up* afterwards. Says whether that
    /// is news.
    pub(super) fn set_phase(&mut self, phase: Phase) -> bool {
        let advances = phase > self.me.phase;
        if advances {
            self.me.phase = phase;
            self.view.members.insert(self.me.id.name.clone(), self.me.clone());
        }
        advances
    }

    /// Begins to doubt a member.
    pub(super) fn suspect(&mut self, id: &NodeId) {
        if let Some(record) = self.records.get_mut(id) {
            record.pulse.suspect();
        }
    }

    /// A seed speaks these versions, none of which this node does.
    pub(super) fn seed_speaks(&mut self, seed: SocketAddr, theirs: WireVersions) {
        self.foreign_seed = Some((seed, theirs));
    }

    /// Takes what gossip says of all other nodes, after this process ran for `ran`.
    pub(super) fn observe(&mut self, sightings: Vec<Sighting>, ran: Duration) -> Vec<News> {
        let mut news = Vec::new();
        self.forget_all_but(&sightings, &mut news);
        for sighting in sightings {
            self.observe_one(sighting, ran, &mut news);
        }
        self.refuse(&mut news);
        let members = self.living_members();
        self.compare(&members, &mut news);
        self.view.members = members;
        news
    }

    /// Why this node should not go on, if it should not.
    pub(super) fn unfit(&self) -> Option<Unfit> {
        if let Some(superseded) = self.superseded() {
            return Some(superseded);
        }
        if self.me.phase != Phase::Joining {
            return None;
        }
        if let Some(taken) = self.name_taken() {
            return Some(taken);
        }
        let misfit = self.living().find_map(|(by, record)| {
            let by = by.clone();
            Some(match record.misfit(self.shards)? {
                Misfit::Shards(theirs) => Unfit::Shards {
                    ours: self.shards,
                    theirs,
                    by,
                },
                Misfit::Versions(theirs) => Unfit::Versions {
                    ours: WireVersions::this_build(),
                    theirs,
                    by,
                },
            })
        });
        misfit.or_else(|| {
            let (seed, theirs) = self.foreign_seed?;
            Some(Unfit::SeedVersions {
                ours: WireVersions::this_build(),
                theirs,
                seed,
            })
        })
    }

    /// Lives that have not left, and are not dead.
    fn living(&self) -> impl Iterator<Item = (&NodeId, &Record)> {
        self.records.iter().filter(|(_, record)| record.is_present())
    }

    fn forget_all_but(&mut self, sightings: &[Sighting], news: &mut Vec<News>) {
        let seen: BTreeSet<_> = sightings.iter().map(|sighting| &sighting.id).collect();
        let forgotten: Vec<_> = self
            .records
            .keys()
            .filter(|id| !seen.contains(id))
            .cloned()
            .collect();
        for id in forgotten {
            self.records.remove(&id);
            if !seen.iter().any(|seen| seen.name == id.name) {
                news.push(News::Forgotten(id.name));
            }
        }
    }

    fn observe_one(&mut self, sighting: Sighting, ran: Duration, news: &mut Vec<News>) {
        let record = self.records.entry(sighting.id.clone()).or_insert_with(|| Record {
            pulse: Pulse::first(sighting.heartbeat),
            sighting: sighting.clone(),
            death: None,
            counted_me_out: 0,
            refused: false,
        });
        let was_alive = record.pulse.is_alive();
        if let Some(death) = record.pulse.observe(sighting.heartbeat, ran, &self.timing) {
            record.death = Some(death);
        }
        if sighting.counted_me_out > record.counted_me_out {
            record.counted_me_out = sighting.counted_me_out;
            news.push(News::CountedOut(sighting.id.clone()));
        }
        record.sighting = sighting;
        let me = &self.me.id;
        let id = &record.sighting.id;
        if id.name == me.name && id > me && record.is_present() && !record.is_up() && !was_alive {
            news.push(News::Namesake(id.clone(), record.sighting.gossip));
        }
    }

    fn refuse(&mut self, news: &mut Vec<News>) {
        for (id, record) in &mut self.records {
            if let Some(misfit) = record.misfit(self.shards)
                && record.is_present()
                && !std::mem::replace(&mut record.refused, true)
            {
                news.push(News::Refused(id.clone(), misfit));
            }
        }
    }

    fn living_members(&self) -> BTreeMap<NodeName, Member> {
        let mut members = BTreeMap::<NodeName, Member>::new();
        // The records are in order of incarnation, so the latest life of a name prevails; but for one that only wants to join
        // while an earlier lives elsewhere: it will find that out, and give way.
        for member in self
            .records
            .values()
            .filter_map(|record| record.member(self.shards))
        {
            let gives_way = members
                .get(&member.id.name)
                .is_some_and(|earlier| earlier.gossip != member.gossip && member.phase != Phase::Up);
            if !gives_way {
                members.insert(member.id.name.clone(), member);
            }
        }
        members.insert(self.me.id.name.clone(), self.me.clone());
        members
    }

    fn compare(&self, members: &BTreeMap<NodeName, Member>, news: &mut Vec<News>) {
        for before in self.view.members.values() {
            if members.get(&before.id.name).is_none_or(|now| now.id != before.id) {
                news.push(News::Disappeared(before.clone(), self.departure(&before.id)));
            }
        }
        for now in members.values() {
            match self.view.member(&now.id) {
                None => news.push(News::Appeared(now.clone())),
                Some(before) if before.phase != now.phase => news.push(News::Changed(now.clone())),
                Some(_) => {}
            }
        }
    }

    fn departure(&self, id: &NodeId) -> Departure {
        let Some(record) = self.records.get(id) else {
            return Departure::Left;
        };
        match record.death {
            _ if record.is_gone() => Departure::Left,
            Some(death) if !record.pulse.is_alive() => Departure::Died(death),
            _ => Departure::Restarted,
        }
    }
}

impl Record {
    fn is_gone(&self) -> bool {
        self.sighting
            .advertisement
            .as_ref()
            .is_some_and(|advertisement| advertisement.stage == Stage::Gone)
    }

    /// Whether the node is a full member, and not on its way in or out.
    fn is_up(&self) -> bool {
        self.sighting
            .advertisement
            .as_ref()
            .is_some_and(|advertisement| advertisement.stage == Stage::In(Phase::Up))
    }

    /// Whether the node lives and has not left.
    fn is_present(&self) -> bool {
        self.pulse.is_alive() && !self.is_gone()
    }

    /// Why the node cannot be a member of a cluster with so many shards, as far as it has told.
    fn misfit(&self, shards: u32) -> Option<Misfit> {
        let advertisement = self.sighting.advertisement.as_ref()?;
        if WireVersions::this_build().common(advertisement.wire).is_none() {
            return Some(Misfit::Versions(advertisement.wire));
        }
        (advertisement.shards != shards).then_some(Misfit::Shards(advertisement.shards))
    }

    /// The node as a member, if it lives and can be one.
    fn member(&self, shards: u32) -> Option<Member> {
        let advertisement = self.sighting.advertisement.as_ref()?;
        let Stage::In(phase) = advertisement.stage else {
            return None;
        };
        (self.pulse.is_alive() && self.misfit(shards).is_none()).then(|| Member {
            id: self.sighting.id.clone(),
            phase,
            http: advertisement.http,
            gossip: self.sighting.gossip,
            link: advertisement.link,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{world::*, *};

    #[test]
    fn a_node_is_always_in_its_own_view() {
        let mut world = World::new();
        assert_eq!(world.members(), ["me#5"]);
        assert_eq!(world.run(10), [""; 0]);
        world.roster.set_phase(Phase::Up);
        assert_eq!(world.roster.view().up().count(), 1);
        assert!(!world.roster.has_company());
    }

    #[test]
    fn who_leaves_before_it_is_up_is_not_up_afterwards() {
        let mut world = World::new();
        assert!(world.roster.set_phase(Phase::Leaving));
        assert!(!world.roster.set_phase(Phase::Up));
        assert_eq!(world.roster.view().up().count(), 0);
    }

    #[test]
    fn a_life_from_joining_to_left() {
        let mut world = World::new();
        world.start("a", 1);
        assert_eq!(world.run(5), ["a#1 Joining"]);
        assert_eq!(world.members(), ["a#1", "me#5"]);
        world.stage("a", 1, Stage::In(Phase::Up));
        assert_eq!(world.run(5), ["a#1 now Up"]);
        world.stage("a", 1, Stage::In(Phase::Leaving));
        assert_eq!(world.run(5), ["a#1 now Leaving"]);
        world.stage("a", 1, Stage::Gone);
        assert_eq!(world.run(1), ["a#1 lost: it has left"]);
        assert_eq!(world.members(), ["me#5"]);
        assert_eq!(world.run(100), [""; 0]);
    }

    #[test]
    fn a_node_without_all_its_values_is_no_member_yet() {
        let mut world = World::new();
        let advertisement = world.start("a", 1).advertisement.take();
        assert_eq!(world.run(10), [""; 0]);
        world.node("a", 1).advertisement = advertisement;
        assert_eq!(world.run(1), ["a#1 Joining"]);
    }

    #[test]
    fn the_silent_are_lost_and_come_back() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.stop("a", 1);
        assert_eq!(world.run(100), ["a#1 lost: silent for 4s"]);
        world.nodes.get_mut(&id("a", 1)).unwrap().1 = true;
        assert_eq!(world.run(5), ["a#1 Joining"]);
    }

    #[test]
    fn the_killed_are_lost_soon() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.stop("a", 1);
        world.roster.suspect(&id("a", 1));
        assert_eq!(
            world.run(5),
            ["a#1 lost: its link closed, and it was silent for 500ms"]
        );
    }

    #[test]
    fn a_restart_replaces_the_life_before() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.stop("a", 1);
        world.start("a", 2);
        assert_eq!(world.run(3), ["a#1 lost: it has restarted", "a#2 Joining"]);
        assert_eq!(world.run(100), [""; 0]);
        assert_eq!(world.members(), ["a#2", "me#5"]);
    }

    #[test]
    fn a_restart_with_the_clock_set_back_waits_for_the_death_of_the_life_before() {
        let mut world = World::new();
        world.start("a", 2);
        world.run(5);
        world.stop("a", 2);
        world.roster.suspect(&id("a", 2));
        world.start("a", 1);
        let expected = [
            "a#2 lost: its link closed, and it was silent for 500ms",
            "a#1 Joining",
        ];
        assert_eq!(world.run(100), expected);
    }

    #[test]
    fn a_joiner_refuses_a_cluster_with_other_shards() {
        let mut world = World::new();
        world.start("a", 1).advertisement.as_mut().unwrap().shards = 128;
        assert_eq!(world.run(5), ["a#1 refused: it is configured for 128 shards"]);
        assert_eq!(
            world.roster.unfit(),
            Some(Unfit::Shards {
                ours: 64,
                theirs: 128,
                by: id("a", 1)
            })
        );
        assert_eq!(world.members(), ["me#5"]);
    }

    #[test]
    fn a_member_that_is_up_refuses_a_joiner_with_other_shards() {
        let mut world = World::new();
        world.roster.set_phase(Phase::Up);
        world.start("a", 1).advertisement.as_mut().unwrap().shards = 128;
        assert_eq!(world.run(50), ["a#1 refused: it is configured for 128 shards"]);
        assert_eq!(world.roster.unfit(), None);
    }

    #[test]
    fn builds_with_a_common_wire_version_are_one_cluster_and_others_refuse_each_other() {
        let mut world = World::new();
        let next = WireVersions::new(3, 4, 3).unwrap();
        world.start("a", 1).advertisement.as_mut().unwrap().wire = next;
        assert_eq!(world.run(5), ["a#1 Joining"]);
        assert_eq!(world.roster.unfit(), None);
        let later = WireVersions::new(4, 5, 4).unwrap();
        world.start("b", 1).advertisement.as_mut().unwrap().wire = later;
        assert_eq!(
            world.run(5),
            ["b#1 refused: its wire versions are 4-5:4 (oldest-newest:broadcast)"]
        );
        let unfit = world.roster.unfit().unwrap();
        assert!(matches!(&unfit, Unfit::Versions { theirs, .. } if *theirs == later));
        let said = unfit.to_string();
        assert!(said.contains("3-3") && said.contains("4-5"), "{said}");
        world.roster.set_phase(Phase::Up);
        assert_eq!(world.roster.unfit(), None, "a joiner drives nobody out");
    }

    #[test]
    fn a_joiner_refuses_a_seed_that_does_not_understand_it_and_who_is_up_does_not() {
        let mut world = World::new();
        world.start("a", 1);
        assert_eq!(world.run(5), ["a#1 Joining"]);
        assert_eq!(world.roster.unfit(), None);
        let theirs = WireVersions::new(4, 5, 4).unwrap();
        world.roster.seed_speaks(address(7009), theirs);
        let said = world.roster.unfit().unwrap().to_string();
        let told = ["3-3", "4-5", "127.0.0.1:7009"];
        assert!(told.iter().all(|part| said.contains(part)), "{said}");
        world.roster.set_phase(Phase::Up);
        assert_eq!(world.roster.unfit(), None);
    }

    #[test]
    fn a_dead_node_with_other_shards_is_no_obstacle() {
        let mut world = World::new();
        world.start("a", 1).advertisement.as_mut().unwrap().shards = 128;
        world.stop("a", 1);
        assert_eq!(world.run(5), [""; 0]);
        assert_eq!(world.roster.unfit(), None);
    }

    #[test]
    fn each_time_a_node_is_counted_out_it_is_told_once() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.node("a", 1).counted_me_out = 1;
        assert_eq!(world.run(5), ["counted out by a#1"]);
        world.node("a", 1).counted_me_out = 3;
        assert_eq!(world.run(5), ["counted out by a#1"]);
    }

    #[test]
    fn a_name_is_forgotten_with_its_last_life() {
        let mut world = World::new();
        world.start("a", 1);
        world.run(5);
        world.stop("a", 1);
        world.start("a", 2);
        world.run(5);
        world.stop("a", 2);
        world.run(50);
        world.nodes.remove(&id("a", 1));
        assert_eq!(world.run(1), [""; 0]);
        world.nodes.remove(&id("a", 2));
        assert_eq!(world.run(1), ["a forgotten"]);
        assert!(world.roster.records.is_empty());
    }
}
