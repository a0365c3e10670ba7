//! How a schedule comes to its end.

use std::{collections::BTreeMap, time::Duration};

use hither_replication::{NodeId, ShardId};

use super::{Verdict, app, client::Client, judge, world::World};
use crate::Node;

/// What comes to no end within so many messages never does.
const MOST_EVENTS: usize = 4_000;
/// Nor what takes so many tenths of a second.
const MOST_ROUNDS: usize = 600;

impl World {
    /// Lets everything come to its end, and looks at it.
    pub(super) fn settle(&mut self) -> Verdict {
        self.log(|| "--- no more faults".into());
        while let Some(id) = self.doomed.first().cloned() {
            self.end(&id);
        }
        while !self.zombies.is_empty() {
            self.bury(0);
        }
        self.learn_all();
        for round in 0..MOST_ROUNDS {
            self.drain()?;
            if self.is_settled() {
                // What nobody waits for may still be on its way.
                for _ in 0..20 {
                    self.pass(Duration::from_millis(200));
                    self.drain()?;
                }
                let words = self.all_words();
                return match self.is_split {
                    true => judge::verdict_of_split(&self.clients, &words),
                    false => judge::verdict(&self.clients, &words),
                };
            }
            if round % 10 == 9 {
                self.reconnect_all();
            }
            self.pass(Duration::from_millis(100));
        }
        Err(format!("does not settle: {}", self.unsettled()))
    }

    pub(super) fn reconnect_all(&mut self) {
        let nodes: Vec<NodeId> = self.members.iter().cloned().collect();
        for client in 0..self.clients.len() {
            let it = &self.clients[client];
            if it.connection.is_none() && !it.is_over {
                let node = nodes[client % nodes.len()].clone();
                self.connect(client, &node);
            }
        }
    }

    /// Does all that does not need time.
    pub(super) fn drain(&mut self) -> Verdict {
        for _ in 0..MOST_EVENTS {
            if let Some(ends) = self.busy().first() {
                self.deliver(&ends.clone());
            } else if !self.runs.is_empty() {
                self.finish(0);
            } else {
                let mut is_quiet = true;
                for client in 0..self.clients.len() {
                    let connection = self.clients[client].connection.as_ref();
                    if connection.is_some_and(|it| !it.incoming.is_empty()) {
                        is_quiet = false;
                        self.read(client)?;
                    } else if connection.is_some_and(|it| !it.asked.is_empty()) {
                        is_quiet = false;
                        self.answer(client);
                    }
                }
                if is_quiet {
                    return Ok(());
                }
            }
        }
        Err("there is no end of messages".into())
    }

    fn is_settled(&self) -> bool {
        let is_served = |client: &Client| client.is_over || client.is_open() && client.pending.is_empty();
        let nodes = self.nodes.values();
        let mut sockets = nodes.flat_map(|node| self.shards.iter().filter_map(|it| node.core().state(*it)));
        let is_asking = sockets.any(|state| state.sockets().any(|(_, it)| it.awaited().next().is_some()));
        self.is_placed() && self.clients.iter().all(is_served) && !is_asking
    }

    fn unsettled(&self) -> String {
        let clients = self.clients.iter().filter(|client| !client.is_over);
        let clients: Vec<String> = clients
            .map(|it| {
                format!(
                    "{} open: {}, pending {:?}",
                    it.socket.number,
                    it.is_open(),
                    it.pending
                )
            })
            .collect();
        format!("placed: {}, {clients:?}", self.is_placed())
    }

    fn all_words(&self) -> BTreeMap<u64, Vec<String>> {
        let states = self.nodes.values().flat_map(|node| {
            let held = self.shards.iter().filter_map(|shard| node.core().state(*shard));
            held.flat_map(|state| state.sockets())
        });
        states
            .filter(|(_, socket)| !socket.has_ended())
            .map(|(id, socket)| (id.number, app::words(socket.data())))
            .collect()
    }

    /// How many records of sockets there were.
    pub(super) fn records(&self) -> u64 {
        self.nodes.values().map(Node::records).sum()
    }

    pub(super) fn words(&self, client: usize) -> Vec<String> {
        let number = self.clients[client].socket.number;
        self.all_words().remove(&number).unwrap_or_default()
    }

    /// Who holds a shard and serves it.
    pub(super) fn holder(&self, shard: ShardId) -> Option<NodeId> {
        let mut all = self.nodes.iter();
        let holder = all.find(|(_, node)| node.core().state(shard).is_some());
        holder.map(|(id, _)| id.clone())
    }
}
