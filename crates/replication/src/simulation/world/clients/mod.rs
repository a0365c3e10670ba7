//! Clients that join topics, leave them, lose their connections, and return with what they heard last.
//!
//! The listener of a client lives at the holder of the client's shard. Its memberships are records there; up to where it
//! was told, only the client knows.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::IteratorRandom;

use super::{Verdict, World};
use crate::{
    Input, Listener, Memberships, NodeId, Position, ReplayId, ShardId, Version,
    simulation::mutant::Mutant,
    simulation::node::{ClientId, Node, Post, Record, Said, Serving, State, Topic},
};

/// Offsets that name so many topics are shortened.
const MANY_NAMED: usize = 2;

#[derive(Default)]
pub(super) struct Clients {
    clients: BTreeMap<ClientId, Client>,
    next: u32,
    /// What was asked for listeners.
    replays: BTreeSet<ReplayId>,
}

struct Client {
    shard: ShardId,
    /// Its creation is committed.
    is_created: bool,
    /// Where it is connected: what other nodes tell it does not arrive.
    node: Option<NodeId>,
    is_away: bool,
    offset: Option<String>,
    told: BTreeSet<(Topic, u64)>,
    originals: BTreeSet<Said>,
    last: BTreeMap<Topic, u64>,
}

impl Clients {
    pub(super) fn asked(&self, replay: ReplayId) -> bool {
        self.replays.contains(&replay)
    }
}

impl World {
    pub(super) fn create_client(&mut self) -> Verdict {
        let shard = self.any_shard();
        let Some(id) = self.any_holder(shard) else {
            return Ok(());
        };
        self.clients.next += 1;
        let client = ClientId(self.clients.next);
        let new = Client {
            shard,
            is_created: false,
            node: None,
            is_away: false,
            offset: None,
            told: BTreeSet::new(),
            originals: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        self.clients.clients.insert(client, new);
        self.tell(|| format!("{id} creates {client:?} in {}", shard.0));
        if let Some(node) = self.nodes.get_mut(&id) {
            let serving = Serving::new(shard, Listener::new(client.0));
            node.listeners.insert(client, serving);
        }
        self.write(&id, client, Record::Created(client))
    }

    /// Has a change of a listener replicated.
    fn write(&mut self, id: &NodeId, client: ClientId, record: Record) -> Verdict {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let Some(serving) = node.listeners.get_mut(&client) else {
            return Ok(());
        };
        let Ok((position, outputs)) = node.core.record(serving.shard, record, now) else {
            return Err(format!("{id} serves {client:?} and not its shard"));
        };
        let version = serving.listener.memberships().version();
        serving.uncommitted.push((position.number(), version));
        if self.faults.mutant == Some(Mutant::CommitChangesEarly) {
            serving.listener.committed(version);
        }
        self.perform(id, outputs)
    }

    /// The listener of a client, at a node that may change it.
    fn serving(&mut self, id: &NodeId, client: ClientId) -> Option<&mut Serving> {
        let node = self.nodes.get_mut(id)?;
        let serving = node.listeners.get_mut(&client)?;
        node.core.state(serving.shard).is_some().then_some(serving)
    }

    fn any_client(&mut self) -> Option<(ClientId, NodeId)> {
        let connected = self.clients.clients.iter();
        connected
            .filter_map(|(client, it)| Some((*client, it.node.clone()?)))
            .choose(&mut self.rng)
    }

    pub(super) fn join_any(&mut self) -> Verdict {
        let topic = self.any_topic();
        let Some((client, id)) = self.any_client() else {
            return Ok(());
        };
        self.replays += 1;
        let replay = ReplayId(self.replays);
        match self.serving(&id, client) {
            Some(serving) => serving.joining.insert(replay, topic),
            None => return Ok(()),
        };
        self.clients.replays.insert(replay);
        self.subscribe(&id, topic)?;
        // The base must not lie before what the client was told by then: so the holder of the topic says it.
        self.give(
            &id,
            Input::Replay {
                shard: topic.shard,
                topic,
                from: None,
                replay,
            },
        )
    }

    fn join_at(&mut self, id: &NodeId, client: ClientId, topic: Topic, base: Position) -> Verdict {
        let change = self
            .serving(id, client)
            .and_then(|serving| serving.listener.join(topic, base));
        match change {
            Some(change) => {
                self.tell(|| format!("{client:?} joins {topic:?} behind {base:?}"));
                self.write(id, client, Record::Changed(client, change))
            }
            None => Ok(()),
        }
    }

    pub(super) fn leave_any(&mut self) -> Verdict {
        let Some((client, id)) = self.any_client() else {
            return Ok(());
        };
        let topics: Vec<Topic> = match self.serving(&id, client) {
            Some(serving) => serving.listener.memberships().topics().copied().collect(),
            None => return Ok(()),
        };
        let Some(topic) = topics.into_iter().choose(&mut self.rng) else {
            return Ok(());
        };
        let change = self
            .serving(&id, client)
            .and_then(|serving| serving.listener.leave(&topic));
        match change {
            Some(change) => {
                self.tell(|| format!("{client:?} leaves {topic:?}: {change:?}"));
                self.write(&id, client, Record::Changed(client, change))
            }
            None => Ok(()),
        }
    }

    /// A connection is lost. What the client is told from now on does not arrive.
    pub(super) fn disconnect_any(&mut self) -> Verdict {
        if let Some((client, id)) = self.any_client() {
            self.tell(|| format!("{client:?} is disconnected"));
            if let Some(it) = self.clients.clients.get_mut(&client) {
                it.node = None;
                it.is_away = true;
            }
            if let Some(node) = self.nodes.get_mut(&id) {
                node.listeners.remove(&client);
            }
        }
        Ok(())
    }

    pub(super) fn return_any(&mut self) -> Verdict {
        let away = self.clients.clients.iter().filter(|(_, client)| client.is_away);
        match away.map(|(client, _)| *client).choose(&mut self.rng) {
            Some(client) => self.return_one(client),
            None => Ok(()),
        }
    }

    /// All that are away come back, and who could not be served before tries again.
    pub(super) fn return_all(&mut self) -> Verdict {
        let all: Vec<ClientId> = self.clients.clients.keys().copied().collect();
        for client in all {
            let is_served = |node: &Node| node.listeners.contains_key(&client);
            let it = &self.clients.clients[&client];
            let node = it.node.as_ref().and_then(|node| self.nodes.get(node));
            if !node.is_some_and(is_served) {
                self.return_one(client)?;
            }
        }
        Ok(())
    }

    fn return_one(&mut self, client: ClientId) -> Verdict {
        let (now, shard) = (self.now, self.clients.clients[&client].shard);
        let Some(id) = self.any_holder(shard) else {
            return Ok(());
        };
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        if node
            .returning
            .iter()
            .any(|(_, _, returning)| *returning == client)
        {
            return Ok(());
        }
        // What it finds must not be taken back: so it waits until a record behind it is committed.
        let Ok((position, outputs)) = node.core.record(shard, Record::Returned, now) else {
            return Ok(());
        };
        node.returning.push((shard, position.number(), client));
        self.tell(|| format!("{client:?} returns to {id}"));
        self.perform(&id, outputs)
    }

    /// A node begins to serve a shard: whoever is connected is told the rest by it.
    pub(super) fn serve_all(&mut self, id: &NodeId, shard: ShardId, state: &State) -> Verdict {
        for (client, memberships) in &state.listeners {
            let Some(it) = self.clients.clients.get_mut(client) else {
                continue;
            };
            it.is_created = true;
            if it.shard == shard && !it.is_away {
                self.attach(id, *client, memberships.clone())?;
            }
        }
        Ok(())
    }

    fn attach(&mut self, id: &NodeId, client: ClientId, memberships: Memberships<Topic>) -> Verdict {
        let Some(it) = self.clients.clients.get_mut(&client) else {
            return Ok(());
        };
        it.node = Some(id.clone());
        it.is_away = false;
        let shard = it.shard;
        let Ok((listener, missing)) = Listener::attach(memberships, it.offset.as_deref()) else {
            return self.begin_anew(client);
        };
        let mut serving = Serving::new(shard, listener);
        let mut asked = Vec::new();
        for missing in missing {
            self.replays += 1;
            let replay = ReplayId(self.replays);
            serving.replays.insert(replay, missing.slot);
            self.clients.replays.insert(replay);
            asked.push((replay, missing));
        }
        self.tell(|| format!("{client:?} is attached to {id}, missing {asked:?}"));
        if let Some(node) = self.nodes.get_mut(id) {
            node.listeners.insert(client, serving);
        }
        for (replay, missing) in asked {
            if missing.is_current {
                self.subscribe(id, missing.topic)?;
            }
            self.give(
                id,
                Input::Replay {
                    shard: missing.topic.shard,
                    topic: missing.topic,
                    from: Some(missing.from),
                    replay,
                },
            )?;
        }
        Ok(())
    }

    /// A client cannot go on with what it has: it becomes another one, of which nothing is expected here.
    fn begin_anew(&mut self, client: ClientId) -> Verdict {
        if self.judge.keeps_all() {
            return Err(format!("{client:?} has to begin anew"));
        }
        self.clients.clients.remove(&client);
        for node in self.nodes.values_mut() {
            node.listeners.remove(&client);
            node.returning.retain(|(_, _, returning)| *returning != client);
        }
        Ok(())
    }
}

impl Serving {
    fn new(shard: ShardId, listener: Listener<Topic, Post>) -> Self {
        Self {
            shard,
            listener,
            replays: BTreeMap::new(),
            joining: BTreeMap::new(),
            uncommitted: Vec::new(),
        }
    }

    /// The version up to which all is committed, if some of it was not before.
    fn commit(&mut self, number: u64) -> Option<Version> {
        let later = self.uncommitted.partition_point(|(at, _)| *at <= number);
        let committed = self.uncommitted.drain(..later).next_back();
        committed.map(|(_, version)| version)
    }
}
