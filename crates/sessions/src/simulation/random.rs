//! Schedules that a seed decides about.

use std::time::Duration;

use hither_replication::NodeId;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use super::{Mutant, Verdict, world::World};

const STEPS: usize = 900;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const CLIENTS: usize = 4;
const MOST_PENDING: usize = 6;

pub(super) struct Random {
    rng: StdRng,
    world: World,
    shards: u32,
}

impl Random {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, keeps_story: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let shards = rng.random_range(1..=3);
        let mut world = World::new(shards, keeps_story);
        world.mutant = mutant;
        if rng.random_bool(0.3) {
            world.settings.core.pending_bytes = rng.random_range(1..2_000);
            world.settings.core.window_bytes = rng.random_range(1..2_000);
        }
        Self { rng, world, shards }
    }

    pub(super) fn story(&self) -> Vec<String> {
        self.world.story.clone().unwrap_or_default()
    }

    pub(super) fn run(&mut self) -> Verdict {
        for name in &NAMES[..3] {
            self.world.join(name);
        }
        self.world.learn_all();
        for _ in 0..STEPS {
            self.world.step += 1;
            self.step()?;
        }
        self.world.settle()
    }

    fn step(&mut self) -> Verdict {
        match self.rng.random_range(0..1_000) {
            0..520 => self.deliver(),
            520..680 => self.finish(),
            680..780 => return self.read(),
            780..880 => self.ask(),
            880..900 => self.answer(),
            900..935 => self.connect(),
            935..950 => self.lose(),
            950..958 => self.bury(),
            958..966 => self.reset(),
            966..969 => self.die(),
            969..972 => self.join(),
            972..980 => self.learn(),
            980..981 => self.leave(),
            _ => self.pass(),
        }
        Ok(())
    }

    fn deliver(&mut self) {
        if let Some(ends) = self.world.busy().into_iter().choose(&mut self.rng) {
            self.world.deliver(&ends);
        } else {
            self.pass();
        }
    }

    fn pass(&mut self) {
        let millis = self.rng.random_range(1..120);
        self.world.pass(Duration::from_millis(millis));
    }

    fn finish(&mut self) {
        let runs = self.world.runs.len();
        if runs > 0 {
            let index = self.rng.random_range(0..runs);
            self.world.finish(index);
        }
    }

    fn client(&mut self, is_wanted: impl Fn(&super::client::Client) -> bool) -> Option<usize> {
        let clients = self.world.clients.iter().enumerate();
        let wanted = clients.filter(|(_, client)| is_wanted(client));
        wanted.map(|(index, _)| index).choose(&mut self.rng)
    }

    fn read(&mut self) -> Verdict {
        let has_mail = |it: &super::client::Client| {
            let connection = it.connection.as_ref();
            connection.is_some_and(|connection| !connection.incoming.is_empty())
        };
        match self.client(has_mail) {
            Some(client) => self.world.read(client),
            None => Ok(()),
        }
    }

    fn ask(&mut self) {
        let Some(client) = self.client(|it| it.is_open() && it.pending.len() < MOST_PENDING) else {
            return;
        };
        let room = self.rng.random_range(0..self.shards);
        let others = self.world.clients.iter().filter(|it| it.was_connected);
        let other = others.choose(&mut self.rng);
        let Some(other) = other.map(|other| other.socket) else {
            return;
        };
        let words = match self.rng.random_range(0..15) {
            0..3 => "echo".to_owned(),
            3..5 => "add".to_owned(),
            5..7 => format!("say {room}"),
            7 => format!("addsay {room}"),
            8 => "tell".to_owned(),
            9 => "ask".to_owned(),
            10..12 => format!("whisper {} {}", other.shard.0, other.number),
            12 => format!("join {room}"),
            13 => format!("both {room} {}", self.rng.random_range(0..self.shards)),
            _ if self.rng.random_bool(0.3) => format!("leave {room}"),
            _ => format!("join {room}"),
        };
        self.world.ask(client, &words);
    }

    fn answer(&mut self) {
        let is_asked = |it: &super::client::Client| {
            let connection = it.connection.as_ref();
            connection.is_some_and(|connection| !connection.asked.is_empty())
        };
        if let Some(client) = self.client(is_asked) {
            self.world.answer(client);
        }
    }

    fn connect(&mut self) {
        let Some(node) = self.world.nodes.keys().cloned().choose(&mut self.rng) else {
            return;
        };
        let away = self.client(|it| it.connection.is_none() && !it.is_over);
        let client = match away {
            Some(client) => client,
            None if self.world.clients.len() < CLIENTS => {
                let shard = self.world.shards.iter().copied().choose(&mut self.rng);
                let Some(shard) = shard else { return };
                self.world.new_client(shard)
            }
            None => return,
        };
        self.world.connect(client, &node);
    }

    fn lose(&mut self) {
        if let Some(client) = self.client(|it| it.connection.is_some()) {
            let is_known = self.rng.random_bool(0.5);
            self.world.lose(client, is_known);
        }
    }

    fn bury(&mut self) {
        let zombies = self.world.zombies.len();
        if zombies > 0 {
            let index = self.rng.random_range(0..zombies);
            self.world.bury(index);
        }
    }

    fn leave(&mut self) {
        if let Some(client) = self.client(|it| it.is_open() && it.pending.is_empty()) {
            self.world.leave(client);
        }
    }

    fn reset(&mut self) {
        let mut pair = self.world.nodes.keys().cloned().sample(&mut self.rng, 2);
        if let (Some(one), Some(other)) = (pair.pop(), pair.pop()) {
            let is_gone = |id: &NodeId| self.world.doomed.contains(id);
            if !is_gone(&one) && !is_gone(&other) {
                self.world.reset(&one, &other);
            }
        }
    }

    /// One death at a time: the next when all is as it was before the last.
    fn die(&mut self) {
        let is_known = self
            .world
            .views
            .values()
            .all(|view| view.is_subset(&self.world.members));
        let has_recovered = self.world.doomed.is_empty() && is_known && self.world.is_placed();
        if let Some(id) = self.world.doomed.first().cloned() {
            self.world.end(&id);
        } else if has_recovered && self.world.members.len() > 2 {
            let Some(id) = self.world.members.iter().cloned().choose(&mut self.rng) else {
                return;
            };
            if self.rng.random_bool(0.5) {
                self.world.doom(&id);
            } else {
                self.world.end(&id);
            }
        }
    }

    fn join(&mut self) {
        let missing = |name: &&&str| {
            let mut all = self.world.nodes.keys();
            !all.any(|id| id.to_string().starts_with(**name))
        };
        let name = NAMES.iter().filter(missing).choose(&mut self.rng).copied();
        if let Some(name) = name {
            self.world.join(name);
        }
    }

    fn learn(&mut self) {
        let is_late = |id: &&NodeId| {
            !self.world.doomed.contains(*id) && self.world.views.get(*id) != Some(&self.world.members)
        };
        let late = self.world.nodes.keys().filter(is_late).choose(&mut self.rng);
        if let Some(id) = late.cloned() {
            self.world.learn(&id);
        }
    }
}
