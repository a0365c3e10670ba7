//! What sockets hear of topics.

use bytes::Bytes;
use hither_replication::{Heard, Missing, Position, ReplayId, Slot, Told};

use super::{CoreInput, Node};
use crate::{
    ids::{SocketId, Topic},
    message::{Published, ToEndpoint},
    record::{Change, Step},
    serving::Joining,
};

/// What a question about a topic's past is for.
#[derive(Clone, Debug)]
pub(super) enum Replay {
    /// A membership has missed something.
    Missed(SocketId, Slot),
    /// Where the topic is now, for a socket that joins it.
    Base(SocketId),
}

impl Node {
    /// A socket goes on with its topics, from where it is.
    pub(super) fn hear_again(&mut self, id: SocketId, missing: Vec<Missing<Topic>>) {
        self.replays
            .retain(|_, replay| !matches!(replay, Replay::Missed(of, _) | Replay::Base(of) if *of == id));
        for missing in missing {
            if missing.is_current {
                self.listen(id, &missing.topic);
            }
            let replay = Replay::Missed(id, missing.slot);
            self.ask(replay, missing.topic, Some(missing.from));
        }
        // A handler that joins begins again: what the listener knew of that is gone.
        self.join(id);
    }

    fn ask(&mut self, replay: Replay, topic: Topic, from: Option<Position>) -> ReplayId {
        self.next_replay += 1;
        let name = ReplayId(self.next_replay);
        self.replays.insert(name, replay);
        let (shard, replay) = (topic.shard, name);
        self.give_core(CoreInput::Replay {
            shard,
            topic,
            from,
            replay,
        });
        name
    }

    fn listen(&mut self, id: SocketId, topic: &Topic) {
        if let Some(serving) = self.sockets.get_mut(&id) {
            serving.listening.insert(topic.clone());
        }
        let listening = self.listening.entry(topic.clone()).or_default();
        let is_first = listening.is_empty();
        listening.insert(id);
        if is_first {
            self.give_core(CoreInput::Subscribe {
                shard: topic.shard,
                topic: topic.clone(),
                from: None,
            });
        }
    }

    pub(super) fn unlisten(&mut self, id: SocketId, topic: &Topic) {
        if let Some(serving) = self.sockets.get_mut(&id) {
            serving.listening.remove(topic);
        }
        let Some(listening) = self.listening.get_mut(topic) else {
            return;
        };
        listening.remove(&id);
        if listening.is_empty() {
            self.listening.remove(topic);
            self.give_core(CoreInput::Unsubscribe {
                shard: topic.shard,
                topic: topic.clone(),
            });
        }
    }

    /// Asks of each topic that a handler joins where it is now. That must be known by its holder: behind what this node
    /// has heard may lie what the client was told elsewhere.
    pub(super) fn join(&mut self, id: SocketId) {
        let Some(joining) = self.joining(id) else {
            return;
        };
        joining.asked.clear();
        joining.changes.clear();
        let topics = joining.effects.joins.clone();
        for topic in topics {
            self.listen(id, &topic);
            let replay = self.ask(Replay::Base(id), topic.clone(), None);
            if let Some(joining) = self.joining(id) {
                joining.asked.insert(replay, topic);
            }
        }
        self.end_joining(id);
    }

    fn joining(&mut self, id: SocketId) -> Option<&mut Joining> {
        self.sockets.get_mut(&id)?.joining.as_mut()
    }

    /// The rest of what a handler did, once it has joined all that it wanted.
    pub(super) fn end_joining(&mut self, id: SocketId) {
        if self.joining(id).is_none() || !self.is_serving(id.shard) {
            return;
        }
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        if let Some(joining) = serving.joining.take_if(|joining| joining.asked.is_empty()) {
            self.finish(id, joining.running, joining.effects, joining.changes);
        }
    }

    pub(super) fn on_delivered(&mut self, topic: &Topic, at: Position, published: Published) {
        let Some(listening) = self.listening.get(topic) else {
            return;
        };
        for id in listening.clone() {
            if let Some(serving) = self.sockets.get_mut(&id) {
                let told = serving.listener.hear(topic, heard(at, published.clone()));
                let waiting: usize = serving.listener.waiting().map(Bytes::len).sum();
                self.tell_of_rooms(id, told);
                if waiting > self.settings.waiting_bytes {
                    self.lose(id);
                }
            }
        }
    }

    pub(super) fn on_replayed(
        &mut self,
        name: ReplayId,
        publications: Vec<(Position, Published)>,
        through: Position,
        is_last: bool,
    ) {
        let Some(replay) = self.replays.get(&name).cloned() else {
            return;
        };
        if is_last {
            self.replays.remove(&name);
        }
        match replay {
            Replay::Missed(id, slot) => {
                let missed = publications
                    .into_iter()
                    .map(|(at, published)| heard(at, published))
                    .collect();
                if let Some(serving) = self.sockets.get_mut(&id) {
                    let told = serving.listener.replayed(slot, missed, is_last);
                    self.tell_of_rooms(id, told);
                }
            }
            Replay::Base(id) => {
                let Some(serving) = self.sockets.get_mut(&id) else {
                    return;
                };
                let Some(joining) = serving.joining.as_mut() else {
                    return;
                };
                if let Some(topic) = joining.asked.remove(&name) {
                    joining.changes.extend(serving.listener.join(topic, through));
                    self.end_joining(id);
                }
            }
        }
    }

    /// What somebody missed is not kept any more.
    pub(super) fn on_not_replayable(&mut self, name: ReplayId) {
        match self.replays.remove(&name) {
            Some(Replay::Missed(id, _)) => self.lose(id),
            // Where a topic is now is known at any time.
            Some(Replay::Base(_)) | None => {}
        }
    }

    /// This node has missed something of a topic, and so have all who hear it here.
    pub(super) fn on_gap(&mut self, topic: &Topic) {
        let listening = self.listening.get(topic).cloned().unwrap_or_default();
        listening.into_iter().for_each(|id| self.lose(id));
    }

    /// A hole in a room is the end of a socket: its client begins anew.
    fn lose(&mut self, id: SocketId) {
        let attached = self
            .sockets
            .get(&id)
            .and_then(|serving| serving.attached.as_ref());
        // Whoever returns later asks again, from where it is.
        if let Some(client) = attached.map(|attached| attached.client.clone()) {
            self.cannot_resume(id, &client);
        }
    }

    pub(super) fn tell_of_rooms(&mut self, id: SocketId, told: Vec<Told<Bytes>>) {
        let Some(serving) = self.sockets.get(&id) else {
            return;
        };
        if let Some(client) = serving.ready().cloned() {
            let (life, events, record) = (serving.life, serving.told_events, serving.known);
            for Told { payload, offset } in told {
                let offset = crate::ClientOffset {
                    life,
                    events,
                    heard: offset,
                    record,
                };
                let event = payload;
                self.tell(&client, ToEndpoint::Room { event, offset });
            }
        }
        let Some(serving) = self.sockets.get_mut(&id) else {
            return;
        };
        if serving.joining.is_none()
            && self.core.state(id.shard).is_some()
            && !self.core.is_full(id.shard)
            && serving.listener.named() >= hither_replication::Listener::<Topic, Bytes>::MANY_NAMED
            && let Some(change) = serving.listener.advance()
        {
            let version = serving.listener.memberships().version();
            if let Some(number) = self.record(id, Step::default(), vec![Change::Membership(change)])
                && let Some(serving) = self.sockets.get_mut(&id)
            {
                serving.uncommitted.push_back((number, version));
            }
        }
    }
}

fn heard(at: Position, published: Published) -> Heard<Topic, Bytes> {
    Heard {
        at,
        earlier: published.earlier,
        payload: published.event,
    }
}
