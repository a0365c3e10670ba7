//! Doing what handlers asked for, in order, and waiting where a join has to be known everywhere first.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use hither_cluster::{Key, Subscribed, Topic};
use hither_engineio::{CloseReason, Frame};
use hither_socketio::{DisconnectReason, EmitError, Event, Json, NamespaceName, SocketId};
use tokio::sync::oneshot;
use tracing::info;

use super::{
    env::{Env, Lane},
    epochs::Epochs,
    history::Place,
    recovery::new_recovery_id,
    session::{AwaitedAck, Session, SocketIo, Upper},
};
use crate::{
    job::Job,
    room::{Room, topic},
    socket::{AckError, Effect},
};

/// How long an answer may be waited for at most; a client that lives longer without answering never will.
const MAX_ACK_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a handler asked for, on its way of being done.
pub(crate) struct Application {
    socket: Option<SocketId>,
    effects: VecDeque<Effect>,
    /// The subscription that has to be in force before the rest is done.
    waits_for: Option<Topic>,
    then: Then,
}

/// What follows when all is done.
pub(crate) enum Then {
    /// Nothing: the handler has ended.
    Rest,
    /// The handler, which waits, is told the rooms its socket is in.
    GoOn(oneshot::Sender<Arc<BTreeSet<Room>>>),
    /// The socket is forgotten: its last handler has ended.
    Forget,
}

impl Application {
    pub(crate) fn new(socket: Option<SocketId>, effects: Vec<Effect>, then: Then) -> Self {
        Self {
            socket,
            effects: effects.into(),
            waits_for: None,
            then,
        }
    }
}

impl Session {
    /// Does the next thing that was asked for. False when that has to wait.
    pub(super) fn apply_next(&mut self, env: &mut Env, lane: &mut Lane) -> bool {
        let Some(application) = self.applications.front_mut() else {
            return false;
        };
        if application.waits_for.is_some() {
            return false;
        }
        if matches!(application.effects.front(), Some(Effect::Publish { .. })) && lane.is_any_congested() {
            self.stall(env);
            return false;
        }
        if let Some(effect) = application.effects.pop_front() {
            let socket = application.socket.clone();
            // An answer to the client is no change: what was handled and is handled again is answered again, which the
            // client ignores. All else the standby has to know of before the client does.
            if !matches!(effect, Effect::Ack { .. }) {
                self.commitment.owe();
            }
            let waits_for = match socket {
                Some(socket) => self.apply(env, lane, &socket, effect),
                None => self.apply_plain(env, lane, effect),
            };
            if let (Some(topic), Some(application)) = (waits_for, self.applications.front_mut()) {
                application.waits_for = Some(topic.clone());
                env.awaiting.entry(topic).or_default().push(self.slot);
            }
        } else if let Some(done) = self.applications.pop_front() {
            self.conclude(lane, done);
            self.check_whole_size(env);
        }
        true
    }

    fn conclude(&mut self, lane: &mut Lane, done: Application) {
        if !matches!(done.then, Then::GoOn(_)) {
            // Of a handler that changed nothing nothing is told.
            lane.changed(&self.key);
        }
        let (Some(id), Upper::SocketIo(upper)) = (&done.socket, &mut self.upper) else {
            return;
        };
        match done.then {
            Then::Rest => {}
            Then::GoOn(handler) => {
                let rooms = upper
                    .socket_mut(id)
                    .map(|socket| socket.rooms.clone())
                    .unwrap_or_default();
                // A handler that was stopped meanwhile needs no answer.
                drop(handler.send(rooms));
            }
            // One whose client may come back is forgotten later.
            Then::Forget => upper
                .sockets
                .retain(|socket| socket.id != *id || socket.away.is_some()),
        }
    }

    /// A subscription is in force that this session may have waited for.
    pub(crate) fn subscribed(&mut self, env: &mut Env, lane: &mut Lane, topic: &Topic) {
        if let Some(application) = self.applications.front_mut()
            && application
                .waits_for
                .take_if(|waits_for| waits_for == topic)
                .is_some()
        {
            self.drive(env, lane);
        }
    }

    /// Effects of plain Engine.IO.
    fn apply_plain(&mut self, env: &mut Env, lane: &mut Lane, effect: Effect) -> Option<Topic> {
        match effect {
            Effect::EngineMessage(message) => self.say(env, lane, [Frame::message(message)]),
            Effect::Disconnect { .. } => self
                .engine
                .close_when_flushed(CloseReason::ForcedClose, lane.now()),
            _ => {}
        }
        None
    }

    /// Returns the topic that has to be known everywhere before the next effect.
    fn apply(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId, effect: Effect) -> Option<Topic> {
        let slot = self.slot;
        let namespace = self.namespace_of(id);
        let is_current = namespace.is_some_and(|namespace| self.is_current(namespace, id));
        let is_for_client = matches!(
            effect,
            Effect::EmitWithAck { .. } | Effect::Ack { .. } | Effect::Disconnect { close: false }
        );
        if is_for_client && !is_current {
            return None;
        }
        let Upper::SocketIo(SocketIo { connection, sockets }) = &mut self.upper else {
            return None;
        };
        let Some(socket) = sockets.iter_mut().find(|socket| socket.id == *id) else {
            // A recovery has no socket yet.
            return match effect {
                Effect::Hold { topic, of } => self.hold(lane, topic, &of),
                _ => None,
            };
        };
        let namespace = socket.namespace.clone();
        match effect {
            Effect::Enter => {
                socket.listening = true;
                return listen(env, lane, topic(&namespace, None), slot);
            }
            Effect::Hold { topic, of } => return self.hold(lane, topic, &of),
            Effect::Accept => {
                socket.recovery = env
                    .shared
                    .recovery(self.service, &namespace)
                    .map(|_| new_recovery_id(&self.key));
                let place = |directs| Place {
                    position: lane.position(),
                    directs,
                };
                if let Some(recovery) = &socket.recovery {
                    env.recoverable(recovery, slot);
                }
                socket.epochs = Epochs::first(place(self.history.count()));
                self.history.skip();
                socket.since = place(self.history.count());
                if connection
                    .accept(&namespace, id.clone(), socket.recovery.as_ref())
                    .is_ok()
                {
                    info!(session = %self.key, %namespace, socket = %id, "socket connected");
                } else {
                    // The client has left, and its application has let it in: so it is told that it left.
                    let reason = self.engine.close_reason().unwrap_or(CloseReason::TransportClose);
                    self.unlisten(env, lane, id);
                    self.enqueue(Job::Disconnect {
                        socket: id.clone(),
                        reason: DisconnectReason::Session(reason),
                    });
                }
            }
            Effect::Emit(event) => self.tell(env, lane, id, event),
            Effect::EmitWithAck {
                event,
                context,
                timeout,
            } => {
                self.emit_with_ack(lane, id, &event, context, timeout);
            }
            // To a client that is gone no answer can be given.
            Effect::Ack { id, args } => drop(connection.ack(&namespace, id, &args)),
            Effect::Join(room) => {
                if socket.listening && !socket.rooms.contains(&room) {
                    let topic = topic(&namespace, Some(&room));
                    let place = Place {
                        position: lane.position(),
                        directs: self.history.count(),
                    };
                    socket.joins.joined(room.clone(), place);
                    Arc::make_mut(&mut socket.rooms).insert(room);
                    return listen(env, lane, topic, slot);
                }
            }
            Effect::Leave(room) => {
                if socket.rooms.contains(&room) {
                    Arc::make_mut(&mut socket.rooms).remove(&room);
                    socket.joins.left(&room);
                    if socket.listening {
                        env.unlisten(lane, &topic(&namespace, Some(&room)), slot);
                    }
                }
            }
            Effect::Identify(person) => socket.person = Some(Arc::new(person)),
            Effect::Publish { room, event } => {
                let cause = self.next_cause();
                lane.publish(&self.key, topic(&namespace, room.as_ref()), cause, event);
            }
            Effect::Disconnect { close: false } => drop(connection.disconnect(&namespace)),
            Effect::Disconnect { close: true } => {
                connection.disconnect_all();
                self.engine
                    .close_when_flushed(CloseReason::ForcedClose, lane.now());
            }
            Effect::EngineMessage(_) => {}
        }
        None
    }

    fn namespace_of(&self, id: &SocketId) -> Option<&NamespaceName> {
        let Upper::SocketIo(upper) = &self.upper else {
            return None;
        };
        let socket = upper.sockets.iter().find(|socket| socket.id == *id)?;
        Some(&socket.namespace)
    }

    /// The lane hears a topic of another session, and knows what was published to it, until the handler ends.
    fn hold(&mut self, lane: &mut Lane, topic: Topic, of: &Key) -> Option<Topic> {
        self.held_topics.push(topic.clone());
        let subscribed = lane.subscribe(&topic);
        lane.inherit_topics(of, std::slice::from_ref(&topic));
        (subscribed == Subscribed::Pending).then_some(topic)
    }

    /// What a handler held is let go.
    pub(super) fn release_topics(&mut self, lane: &mut Lane) {
        for topic in std::mem::take(&mut self.held_topics) {
            lane.unsubscribe(&topic);
        }
    }

    fn emit_with_ack(&mut self, lane: &Lane, id: &SocketId, event: &Event, context: Json, timeout: Duration) {
        let Upper::SocketIo(SocketIo { connection, sockets }) = &mut self.upper else {
            return;
        };
        let Some(socket) = sockets.iter_mut().find(|socket| socket.id == *id) else {
            return;
        };
        match connection.emit_with_ack(&socket.namespace, event) {
            Ok(ack) => {
                let overdue = lane.now() + timeout.min(MAX_ACK_TIMEOUT);
                socket.acks.insert(ack, AwaitedAck { context, overdue });
            }
            Err(EmitError::NotConnected(_)) => {}
            Err(EmitError::TooEarly | EmitError::TooManyAcks) => {
                self.enqueue(Job::Acked {
                    socket: id.clone(),
                    context,
                    answer: Err(AckError::TooMany),
                });
            }
        }
    }
}

fn listen(env: &mut Env, lane: &mut Lane, topic: Topic, slot: usize) -> Option<Topic> {
    (env.listen(lane, &topic, slot) == Subscribed::Pending).then_some(topic)
}
