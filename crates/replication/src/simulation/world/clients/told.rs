//! What clients are told, and whether that is what they were to be told.

use std::collections::BTreeSet;

use super::{
    super::{Verdict, World},
    MANY_NAMED,
};
use crate::{
    Heard, NodeId, Position, ReplayId, ShardId, Told,
    simulation::{
        mutant::Mutant,
        node::{ClientId, Post, Record, Topic},
    },
};

impl World {
    pub(in crate::simulation::world) fn on_committed(
        &mut self,
        id: &NodeId,
        shard: ShardId,
        number: u64,
    ) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let mut told = Vec::new();
        for (client, serving) in &mut node.listeners {
            if serving.shard == shard
                && let Some(version) = serving.commit(number)
            {
                told.push((*client, serving.listener.committed(version)));
            }
        }
        let is_due = |(at, behind, _): &(ShardId, u64, ClientId)| *at == shard && *behind <= number;
        let returned: Vec<ClientId> = node
            .returning
            .extract_if(.., |it| is_due(it))
            .map(|(.., client)| client)
            .collect();
        let listeners = node.core.state(shard).map(|state| state.listeners.clone());
        for (client, told) in told {
            if let Some(it) = self.clients.clients.get_mut(&client)
                && !it.is_created
            {
                it.is_created = true;
                it.node = Some(id.clone());
            }
            self.tell_client(id, client, told)?;
        }
        for client in returned {
            let memberships = listeners.as_ref().and_then(|listeners| listeners.get(&client));
            match memberships.cloned() {
                Some(memberships) => self.attach(id, client, memberships)?,
                // Its creation was never committed.
                None => {
                    self.clients.clients.remove(&client);
                }
            }
        }
        Ok(())
    }

    pub(in crate::simulation::world) fn on_delivered(
        &mut self,
        id: &NodeId,
        topic: Topic,
        at: Position,
        post: &Post,
    ) -> Verdict {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let mut told = Vec::new();
        for (client, serving) in &mut node.listeners {
            told.push((*client, serving.listener.hear(&topic, heard(at, post.clone()))));
        }
        for (client, told) in told {
            self.tell_client(id, client, told)?;
        }
        Ok(())
    }

    pub(in crate::simulation::world) fn on_replayed(
        &mut self,
        id: &NodeId,
        replay: ReplayId,
        publications: Vec<(Position, Post)>,
        through: Position,
        is_last: bool,
    ) -> Verdict {
        let joining = self.nodes.get_mut(id).and_then(|node| {
            let mut all = node.listeners.iter_mut();
            all.find_map(|(client, serving)| Some((*client, serving.joining.remove(&replay)?)))
        });
        if let Some((client, topic)) = joining {
            return self.join_at(id, client, topic, through);
        }
        let Some((client, serving, slot)) = self.nodes.get_mut(id).and_then(|node| {
            let mut all = node.listeners.iter_mut();
            all.find_map(|(client, serving)| {
                let slot = *serving.replays.get(&replay)?;
                Some((*client, serving, slot))
            })
        }) else {
            return Ok(());
        };
        if is_last {
            serving.replays.remove(&replay);
        }
        let missed = publications
            .into_iter()
            .map(|(at, post)| heard(at, post))
            .collect();
        let told = serving.listener.replayed(slot, missed, is_last);
        self.tell_client(id, client, told)
    }

    pub(in crate::simulation::world) fn on_not_replayable(
        &mut self,
        id: &NodeId,
        replay: ReplayId,
    ) -> Verdict {
        let listener = self.nodes.get(id).and_then(|node| {
            let mut all = node.listeners.iter();
            all.find(|(_, serving)| serving.replays.contains_key(&replay))
        });
        match listener.map(|(client, _)| *client) {
            Some(client) => self.begin_anew(client),
            None => Ok(()),
        }
    }

    /// A node has missed something of a topic, and so have all who hear it there.
    pub(in crate::simulation::world) fn on_gap(&mut self, id: &NodeId, topic: Topic) -> Verdict {
        let Some(node) = self.nodes.get(id) else {
            return Ok(());
        };
        let listeners = node.listeners.iter();
        let lost: Vec<ClientId> = listeners
            .filter(|(_, serving)| {
                serving.listener.is_in(&topic) || serving.joining.values().any(|joining| *joining == topic)
            })
            .map(|(client, _)| *client)
            .collect();
        for client in lost {
            self.begin_anew(client)?;
        }
        Ok(())
    }

    fn tell_client(&mut self, id: &NodeId, client: ClientId, told: Vec<Told<Post>>) -> Verdict {
        for Told { payload, offset } in told {
            let place = self.judge.place_of(payload.topic, payload.said);
            let Some(it) = self.clients.clients.get_mut(&client) else {
                return Ok(());
            };
            if it.node.as_ref() != Some(id) {
                return Ok(());
            }
            let Some(number) = place else {
                return Err(format!("{client:?} is told {payload:?}, which stands nowhere"));
            };
            if self.faults.mutant != Some(Mutant::LoseOffsets) || number % 3 > 0 {
                it.offset = Some(offset);
            }
            it.told.insert((payload.topic, number));
            if !it.originals.insert(payload.original) {
                return Err(format!("{client:?} is told {payload:?} twice"));
            }
            let last = it.last.insert(payload.topic, number);
            if last.is_some_and(|last| last >= number) {
                return Err(format!("{client:?} is told {payload:?} after {last:?}"));
            }
            self.tell(|| format!("    {client:?} is told {payload:?}"));
        }
        let change = self.serving(id, client).and_then(|serving| {
            let is_long = serving.listener.named() >= MANY_NAMED;
            is_long.then(|| serving.listener.advance()).flatten()
        });
        match change {
            Some(change) => self.write(id, client, Record::Changed(client, change)),
            None => Ok(()),
        }
    }

    /// Whether every client is connected to who holds its shard, and waits for nothing.
    pub(in crate::simulation::world) fn are_clients_served(&self) -> bool {
        self.clients.clients.iter().all(|(client, it)| {
            let node = it.node.as_ref().and_then(|node| self.nodes.get(node));
            let serving = node.and_then(|node| node.listeners.get(client));
            serving.is_some_and(|serving| {
                serving.replays.is_empty() && serving.uncommitted.is_empty() && serving.joining.is_empty()
            })
        })
    }

    /// Whether every client was told exactly what it was to be told.
    pub(in crate::simulation::world) fn clients_verdict(&self) -> Verdict {
        for (client, it) in &self.clients.clients {
            let node = it.node.as_ref().and_then(|node| self.nodes.get(node));
            let Some(serving) = node.and_then(|node| node.listeners.get(client)) else {
                return Err(format!("{client:?} is not served"));
            };
            if serving.listener.waiting().next().is_some() {
                return Err(format!("{client:?} is not told what it has heard"));
            }
            let memberships = serving.listener.memberships();
            let expected: BTreeSet<(Topic, u64)> = self
                .judge
                .published()
                .filter(|(topic, at, post)| {
                    let is_in = |topic: &Topic, at: Position| memberships.hears(topic, at);
                    is_in(topic, *at) && !post.earlier.iter().any(|(topic, at)| is_in(topic, *at))
                })
                .map(|(topic, at, _)| (topic, at.number()))
                .collect();
            if expected != it.told {
                let missed: Vec<_> = expected.difference(&it.told).collect();
                let extra: Vec<_> = it.told.difference(&expected).collect();
                return Err(format!(
                    "{client:?} has missed {missed:?}, and was told {extra:?}"
                ));
            }
        }
        Ok(())
    }
}

fn heard(at: Position, payload: Post) -> Heard<Topic, Post> {
    let earlier = payload.earlier.clone();
    Heard { at, earlier, payload }
}
