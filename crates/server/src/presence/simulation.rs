//! Nodes made of [`Machine`]s, with links that are cut and nodes that die: whatever happened, all agree in the end, and
//! applications that followed the changes know what the lists say.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use hither_cluster::{Incarnation, NodeId};
use hither_socketio::{Json, NamespaceName};
use proptest::prelude::*;

use super::{
    LINGER, Person, PersonKey,
    machine::{Machine, Output},
    wire::{Note, Place},
};
use crate::room::Room;

const NODES: usize = 3;
const PEOPLE: usize = 5;
const ROOMS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Enter {
        node: usize,
        person: usize,
        room: usize,
    },
    Leave {
        node: usize,
        which: usize,
    },
    Deliver {
        from: usize,
        to: usize,
    },
    Pass(u64),
    /// What is on the way between two nodes is lost, and then they are linked again.
    Cut {
        one: usize,
        other: usize,
    },
    Restart(usize),
}

struct Node {
    id: NodeId,
    machine: Machine,
    /// The sockets here: rooms with persons.
    sockets: Vec<(Place, Person)>,
    /// What an application knows that followed the changes.
    followed: BTreeMap<Place, BTreeSet<PersonKey>>,
}

struct World {
    now: Instant,
    nodes: Vec<Node>,
    links: BTreeMap<(NodeId, NodeId), VecDeque<Note>>,
    lives: u64,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            now: Instant::now(),
            nodes: Vec::new(),
            links: BTreeMap::new(),
            lives: 0,
        };
        for index in 0..NODES {
            let node = world.node(index);
            world.nodes.push(node);
        }
        world.views_change();
        world
    }

    fn node(&mut self, index: usize) -> Node {
        self.lives += 1;
        Node {
            id: NodeId {
                name: format!("node{index}").parse().unwrap(),
                incarnation: Incarnation(self.lives),
            },
            machine: Machine::default(),
            sockets: Vec::new(),
            followed: BTreeMap::new(),
        }
    }

    fn views_change(&mut self) {
        let all: BTreeSet<NodeId> = self.nodes.iter().map(|node| node.id.clone()).collect();
        self.links
            .retain(|(from, to), _| all.contains(from) && all.contains(to));
        for index in 0..NODES {
            let mut others = all.clone();
            others.remove(&self.nodes[index].id);
            let outputs = self.nodes[index].machine.members(self.now, &others);
            self.send(index, outputs);
        }
    }

    fn send(&mut self, from: usize, outputs: impl IntoIterator<Item = Output>) {
        let me = self.nodes[from].id.clone();
        let ids: Vec<NodeId> = self.nodes.iter().map(|node| node.id.clone()).collect();
        for output in outputs {
            let (receivers, note) = match output {
                Output::To(node, note) => (vec![node], note),
                Output::ToAll(note) => (ids.clone(), note),
            };
            for to in receivers.into_iter().filter(|to| *to != me && ids.contains(to)) {
                self.links
                    .entry((me.clone(), to))
                    .or_default()
                    .push_back(note.clone());
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize) -> bool {
        let (sender, receiver) = (self.nodes[from].id.clone(), self.nodes[to].id.clone());
        let link = self.links.get_mut(&(sender.clone(), receiver));
        let Some(note) = link.and_then(VecDeque::pop_front) else {
            return false;
        };
        let output = self.nodes[to].machine.hear(self.now, &sender, note);
        self.send(to, output);
        true
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        for index in 0..NODES {
            let node = &mut self.nodes[index];
            let (outputs, changes) = node.machine.tick(self.now);
            for change in changes {
                let place = Place {
                    namespace: change.namespace,
                    room: change.room,
                };
                let known = node.followed.entry(place).or_default();
                known.extend(change.joined.into_iter().map(|person| person.key));
                for person in change.left {
                    assert!(known.remove(&person.key), "somebody left who was not there");
                }
                assert_eq!(known.len(), change.count);
            }
            self.send(index, outputs);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Enter { node, person, room } => {
                let (place, person) = (place(room), self::person(person));
                let node = &mut self.nodes[node];
                node.machine.enter(self.now, &place, &person);
                node.sockets.push((place, person));
            }
            Step::Leave { node, which } => {
                let node = &mut self.nodes[node];
                if !node.sockets.is_empty() {
                    let (place, person) = node.sockets.swap_remove(which % node.sockets.len());
                    node.machine.leave(self.now, &place, &person.key);
                }
            }
            Step::Deliver { from, to } => drop(self.deliver(from, to)),
            Step::Pass(millis) => self.pass(millis),
            Step::Cut { one, other } if one != other => {
                let (one_id, other_id) = (self.nodes[one].id.clone(), self.nodes[other].id.clone());
                self.links.remove(&(one_id.clone(), other_id.clone()));
                self.links.remove(&(other_id.clone(), one_id.clone()));
                let outputs = self.nodes[one].machine.linked(&other_id);
                self.send(one, outputs);
                let outputs = self.nodes[other].machine.linked(&one_id);
                self.send(other, outputs);
            }
            Step::Cut { .. } => {}
            Step::Restart(index) => {
                let node = self.node(index);
                self.nodes[index] = node;
                self.views_change();
            }
        }
    }

    fn deliver_all(&mut self) {
        while (0..NODES * NODES).any(|pair| self.deliver(pair / NODES, pair % NODES)) {}
    }

    fn settle(&mut self) {
        for _ in 0..12 {
            self.pass(1_000);
            self.deliver_all();
        }
        self.pass(LINGER.as_millis() as u64);
        self.pass(LINGER.as_millis() as u64);
    }

    fn assert_agreed(&self) {
        for room in 0..ROOMS {
            let place = place(room);
            let truth: BTreeSet<PersonKey> = self
                .nodes
                .iter()
                .flat_map(|node| &node.sockets)
                .filter(|(at, _)| *at == place)
                .map(|(_, person)| person.key.clone())
                .collect();
            for node in &self.nodes {
                let list = node.machine.list(&place, None, usize::MAX).persons;
                let listed: BTreeSet<PersonKey> = list.into_iter().map(|person| person.key).collect();
                assert_eq!(listed, truth, "what {:?} lists", node.id);
                assert_eq!(node.machine.count(&place), truth.len());
                let followed = node.followed.get(&place).cloned().unwrap_or_default();
                assert_eq!(followed, truth, "what {:?} was told", node.id);
            }
        }
    }
}

fn place(room: usize) -> Place {
    Place {
        namespace: NamespaceName::new("/chat").unwrap(),
        room: Room::from(format!("room {room}")),
    }
}

fn person(number: usize) -> Person {
    Person {
        key: PersonKey::new(number.to_string()).unwrap(),
        card: Json::encode(&format!("person {number}")).unwrap(),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 0..NODES;
    prop_oneof![
        6 => (node(), 0..PEOPLE, 0..ROOMS).prop_map(|(node, person, room)| Step::Enter { node, person, room }),
        5 => (node(), 0..64_usize).prop_map(|(node, which)| Step::Leave { node, which }),
        8 => (node(), node()).prop_map(|(from, to)| Step::Deliver { from, to }),
        5 => (1..3_000_u64).prop_map(Step::Pass),
        1 => (node(), node()).prop_map(|(one, other)| Step::Cut { one, other }),
        1 => node().prop_map(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn all_agree_in_the_end(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.assert_agreed();
    }
}

#[test]
fn a_crowd_is_told_in_pages() {
    let mut world = World::new();
    for number in 0..2_000 {
        world.step(Step::Enter {
            node: 0,
            person: number,
            room: 0,
        });
    }
    world.settle();
    world.step(Step::Restart(2));
    world.settle();
    world.assert_agreed();
}

#[test]
fn people_of_a_dead_node_vanish_and_those_who_come_back_elsewhere_stay() {
    let mut world = World::new();
    for person in [0, 1] {
        world.step(Step::Enter {
            node: 0,
            person,
            room: 0,
        });
    }
    world.settle();
    let told = |world: &World| world.nodes[1].followed[&place(0)].clone();
    world.step(Step::Restart(0));
    world.step(Step::Enter {
        node: 1,
        person: 1,
        room: 0,
    });
    world.pass(1_000);
    assert_eq!(told(&world).len(), 2, "nobody is gone before LINGER");
    world.settle();
    assert_eq!(told(&world), [person(1).key].into());
    world.assert_agreed();
}

#[test]
fn three_devices_on_two_nodes_are_one_person() {
    let mut world = World::new();
    for node in [0, 0, 1] {
        world.step(Step::Enter {
            node,
            person: 3,
            room: 1,
        });
    }
    world.settle();
    assert_eq!(world.nodes[2].machine.count(&place(1)), 1);
    for node in [0, 1] {
        world.step(Step::Leave { node, which: 0 });
        world.settle();
        assert_eq!(world.nodes[2].machine.count(&place(1)), 1);
    }
    world.step(Step::Leave { node: 0, which: 0 });
    world.settle();
    assert_eq!(world.nodes[2].machine.count(&place(1)), 0);
}

#[test]
fn a_join_costs_one_change_for_each_other_node_however_many_are_there() {
    let mut world = World::new();
    for number in 0..2_000 {
        let node = number % NODES;
        world.step(Step::Enter {
            node,
            person: number,
            room: 0,
        });
    }
    world.settle();
    world.step(Step::Enter {
        node: 0,
        person: 2_000,
        room: 0,
    });
    world.pass(200);
    let said = world.links.values().flatten();
    let changes: Vec<usize> = said
        .filter_map(|note| match note {
            Note::Delta { changes, .. } => Some(changes.iter().map(|(_, list)| list.len()).sum()),
            Note::Digest { .. } => None,
            Note::Want { .. } | Note::Page { .. } => panic!("a list is sent for one who comes"),
        })
        .collect();
    assert_eq!(changes, [1; NODES - 1]);
}

/// As JSON, which is longer than what goes over links.
fn bytes_under_way(world: &World) -> usize {
    let said = world.links.values().flatten();
    said.map(|note| serde_json::to_vec(note).unwrap().len()).sum()
}

#[test]
fn a_thousand_who_come_at_once_into_a_room_of_ten_thousand_make_no_storm() {
    const MEMBERS: usize = 10_000;
    const COME: usize = 1_000;
    let mut world = World::new();
    let enter = |world: &mut World, number: usize| {
        let person = Person {
            key: PersonKey::new(format!("{number:011}")).unwrap(),
            card: Json::encode(&serde_json::json!({ "name": format!("guest {number}"), "kind": "guest" }))
                .unwrap(),
        };
        let (place, node) = (place(0), &mut world.nodes[number % NODES]);
        node.machine.enter(world.now, &place, &person);
        node.sockets.push((place, person));
    };
    (0..MEMBERS).for_each(|number| enter(&mut world, number));
    world.settle();
    world.deliver_all();
    assert_eq!(bytes_under_way(&world), 0);
    // Within a second.
    for slice in 0..10 {
        let first = MEMBERS + slice * COME / 10;
        (first..first + COME / 10).for_each(|number| enter(&mut world, number));
        world.pass(100);
    }
    world.pass(100);
    let deltas = world
        .links
        .values()
        .flatten()
        .filter(|note| matches!(note, Note::Delta { .. }))
        .count();
    assert!(deltas <= 11 * NODES * (NODES - 1), "{deltas} messages");
    let bytes = bytes_under_way(&world);
    println!(
        "{deltas} messages with {bytes} bytes for {COME} who come, {} each",
        bytes / COME
    );
    // A key and a card for each of the other nodes.
    assert!(bytes < COME * (NODES - 1) * 120, "{bytes} bytes");
    world.settle();
    world.assert_agreed();
}
