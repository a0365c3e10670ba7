//! Other nodes, as a roster under test sees them.

use super::*;
use crate::member::Incarnation;

pub(super) const TICK: Duration = Duration::from_millis(100);

pub(super) fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

pub(super) fn id(name: &str, incarnation: u64) -> NodeId {
    NodeId {
        name: name.parse().unwrap(),
        incarnation: Incarnation(incarnation),
    }
}

fn roster() -> Roster {
    let me = Member {
        id: id("me", 5),
        phase: Phase::Joining,
        http: address(9000),
        gossip: address(7000),
        link: address(7100),
    };
    let timing = MembershipTiming {
        gossip_interval: TICK,
        failure_timeout: TICK * 40,
        suspicion_confirm: TICK * 5,
    };
    Roster::new(me, 64, timing)
}

/// Nodes that beat with every observation, unless they are stopped.
pub(super) struct World {
    pub(super) roster: Roster,
    pub(super) nodes: BTreeMap<NodeId, (Sighting, bool)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            roster: roster(),
            nodes: BTreeMap::new(),
        }
    }

    pub(super) fn start(&mut self, name: &str, incarnation: u64) -> &mut Sighting {
        let id = id(name, incarnation);
        let sighting = Sighting {
            id: id.clone(),
            gossip: address(7001),
            heartbeat: 1,
            advertisement: Some(Advertisement {
                stage: Stage::In(Phase::Joining),
                http: address(9001),
                link: address(7101),
                shards: 64,
                wire: WireVersions::this_build(),
            }),
            counted_me_out: 0,
        };
        &mut self.nodes.entry(id).or_insert((sighting, true)).0
    }

    pub(super) fn stop(&mut self, name: &str, incarnation: u64) {
        self.nodes.get_mut(&id(name, incarnation)).unwrap().1 = false;
    }

    pub(super) fn node(&mut self, name: &str, incarnation: u64) -> &mut Sighting {
        &mut self.nodes.get_mut(&id(name, incarnation)).unwrap().0
    }

    pub(super) fn stage(&mut self, name: &str, incarnation: u64, stage: Stage) {
        self.node(name, incarnation).advertisement.as_mut().unwrap().stage = stage;
    }

    pub(super) fn run(&mut self, ticks: u32) -> Vec<String> {
        (0..ticks).flat_map(|_| self.tick()).map(tell).collect()
    }

    pub(super) fn tick(&mut self) -> Vec<News> {
        for (sighting, beating) in self.nodes.values_mut() {
            sighting.heartbeat += u64::from(*beating);
        }
        self.roster.observe(
            self.nodes
                .values()
                .map(|(sighting, _)| sighting.clone())
                .collect(),
            TICK,
        )
    }

    pub(super) fn members(&self) -> Vec<String> {
        self.roster
            .view()
            .members
            .values()
            .map(|member| format!("{:?}", member.id))
            .collect()
    }
}

fn tell(news: News) -> String {
    match news {
        News::Appeared(member) => format!("{:?} {:?}", member.id, member.phase),
        News::Changed(member) => format!("{:?} now {:?}", member.id, member.phase),
        News::Disappeared(member, departure) => format!("{:?} lost: {departure}", member.id),
        News::Refused(id, misfit) => format!("{id:?} refused: {misfit}"),
        News::CountedOut(by) => format!("counted out by {by:?}"),
        News::Namesake(id, _) => format!("{id:?} has my name"),
        News::Forgotten(name) => format!("{name} forgotten"),
    }
}
