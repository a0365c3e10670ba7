//! Schedules that are written down: each is one that something breaks in without one of the rules. The letters name
//! the scenarios of the design.

use std::time::Duration;

use hither_replication::{NodeId, ShardId};

mod bounds;
mod frames;
mod returns;
mod several;
mod splits;

use super::world::World;
use crate::Settings;

/// Three nodes, of which `a` holds all shards and `b` stands by; a client is connected to `c`.
struct Stage {
    world: World,
    a: NodeId,
    b: NodeId,
    c: NodeId,
}

fn stage() -> Stage {
    stage_with(Settings::default())
}

fn stage_with(settings: Settings) -> Stage {
    let mut world = World::new(2, false);
    let window = world.settings.window;
    world.settings = Settings { window, ..settings };
    world.preference = "abc";
    let [a, b, c] = ["a", "b", "c"].map(|name| world.join(name));
    world.learn_all();
    let mut stage = Stage { world, a, b, c };
    stage.settle();
    let client = stage.world.new_client(ShardId(0));
    stage.world.connect(client, &stage.c.clone());
    stage.settle();
    assert!(stage.world.clients[client].is_open());
    stage
}

impl Stage {
    fn settle(&mut self) {
        for _ in 0..40 {
            self.world.drain().unwrap();
            self.world.pass(Duration::from_millis(50));
        }
        self.world.drain().unwrap();
    }

    /// Delivers what one node has sent to another, all of it and no more.
    fn deliver(&mut self, from: &NodeId, to: &NodeId) {
        let ends = (from.clone(), to.clone());
        for _ in 0..self.world.waiting(&ends) {
            self.world.deliver(&ends);
        }
    }

    /// Ends all handlers that run, and those that run then. Returns how many.
    fn run_all(&mut self) -> usize {
        let mut ran = 0;
        while !self.world.runs.is_empty() {
            self.world.finish(0);
            ran += 1;
        }
        ran
    }

    /// What a client has sent comes to the holder, and its handlers end; what follows from that does not leave.
    fn handle(&mut self, client: usize) {
        let connection = self.world.clients[client].connection.clone();
        let node = connection.expect("it is connected").node;
        let (a, b) = (self.a.clone(), self.b.clone());
        self.deliver(&node, &a);
        // The holder takes a lease first.
        self.deliver(&a, &b);
        self.deliver(&b, &a);
        assert!(self.run_all() > 0);
    }

    /// The holder dies, and what it has sent and did not arrive is lost.
    fn kill_holder(&mut self) {
        self.world.cut(&self.a.clone());
        self.world.end(&self.a.clone());
        self.world.learn_all();
    }

    fn answers(&self) -> Vec<u64> {
        let answered = self.world.clients[0].answered.iter();
        answered.map(|answered| answered.pending.x).collect()
    }

    /// All comes to its end, and the judge has nothing to say.
    fn ends_well(mut self) {
        self.world.settle().unwrap();
    }

    /// The same as [`settle`](Self::settle), but the client does not answer what it is asked.
    fn settle_unanswered(&mut self) {
        for _ in 0..4 {
            while let Some(ends) = self.world.busy().first().cloned() {
                self.world.deliver(&ends);
            }
            self.run_all();
            self.world.pass(Duration::from_millis(50));
        }
        for client in 0..self.world.clients.len() {
            while self.world.read_one(client).unwrap() {}
        }
    }
}
