//! What a handler holds: one client's connection to a namespace.

use std::{collections::BTreeSet, fmt::Display, sync::Arc, time::Duration};

use bytes::Bytes;
use hither_cluster::{Key, LaneHandle, NodeName, Topic};
use hither_engineio::TransportName;
use hither_socketio::{AckId, Args, ArgsError, Event, EventError, Json, JsonError, NamespaceName, SocketId};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    census::SessionTag,
    handshake::Handshake,
    io::Io,
    presence::Person,
    room::{Room, RoomEvent},
    sessions::{LaneEvent, SessionAddress, Sessions},
};

/// A client's connection to a namespace, lent to a handler.
///
/// What a handler asks of it takes effect in the order asked, when the handler ends or at a [`flush`](Self::flush); what a
/// handler that panics had asked since is not done. `data` is kept from one handler to the next and moves with the session
/// from node to node.
pub struct Socket<Data> {
    /// The application's data of this socket.
    pub data: Data,
    pub(crate) context: SocketContext,
}

/// All of a socket but the application's data.
pub(crate) struct SocketContext {
    pub(crate) id: SocketId,
    pub(crate) namespace: NamespaceName,
    pub(crate) handshake: Arc<Handshake>,
    pub(crate) rooms: Arc<BTreeSet<Room>>,
    pub(crate) whereabouts: Whereabouts,
    pub(crate) effects: Effects,
    pub(crate) address: SessionAddress,
    pub(crate) lane: LaneHandle<Sessions>,
    pub(crate) io: Io,
}

/// Where a session is at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Whereabouts {
    /// The node at which the client's connection landed.
    pub ingress: NodeName,
    /// The node that owns the session.
    pub owner: NodeName,
    /// How the client is connected.
    #[serde(serialize_with = "transport_name")]
    pub transport: TransportName,
}

fn transport_name<S: serde::Serializer>(name: &TransportName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

/// Why something was not emitted.
#[derive(Debug, thiserror::Error)]
pub enum EmitError {
    /// The name is reserved or the arguments cannot be sent.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The arguments cannot be sent.
    #[error(transparent)]
    Args(#[from] ArgsError),
    /// What is to be kept for the answer cannot be written as JSON.
    #[error("the context of an ack cannot be kept: {0}")]
    Context(#[from] JsonError),
    /// The socket would be in too many rooms.
    #[error("a socket may be in {limit} rooms, and this one is")]
    TooManyRooms {
        /// The limit, [`ClientLimits::rooms`](crate::ClientLimits::rooms).
        limit: usize,
    },
    /// The name of a room is too long.
    #[error("the name of a room has {length} bytes, and {limit} are the limit")]
    LongRoomName {
        /// Bytes of the name.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The handler asked for more than a client may have waiting.
    #[error("the handler has asked for {asked} bytes since it was last flushed, and {limit} are the limit")]
    TooMuch {
        /// Bytes asked for.
        asked: usize,
        /// The limit, [`ServerConfig::max_outgoing_bytes`](crate::ServerConfig::max_outgoing_bytes).
        limit: usize,
    },
}

/// Why an event emitted with an ack got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AckError {
    /// The client did not answer in time.
    #[error("the client did not answer in time")]
    TimedOut,
    /// Too many other events wait for their answer.
    #[error("too many events wait for an answer of this client")]
    TooMany,
}

/// One thing that a handler asked for.
pub(crate) enum Effect {
    Emit(Event),
    EmitWithAck {
        event: Event,
        context: Json,
        timeout: Duration,
    },
    Ack {
        id: AckId,
        args: Args,
    },
    Join(Room),
    Leave(Room),
    Identify(Person),
    Publish {
        room: Option<Room>,
        event: RoomEvent,
    },
    Disconnect {
        close: bool,
    },
    EngineMessage(hither_engineio::Message),
    /// Hears what is told to the whole namespace from now on: the first thing after a connect was let in.
    Enter,
    /// Tells the client that it is connected.
    Accept,
    /// Has a topic of another session heard by the lane, though not by the socket, until the handler ends.
    Hold {
        topic: Topic,
        of: Key,
    },
}

/// Bytes of a room's name.
const MAX_ROOM_NAME: usize = 1_024;

/// What a handler has asked for, in order.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) list: Vec<Effect>,
    pub(crate) bytes: usize,
    pub(crate) limit: usize,
    /// Joins among them.
    joins: usize,
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Effects({} of {} bytes)", self.list.len(), self.bytes)
    }
}

impl Effects {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            list: Vec::new(),
            bytes: 0,
            limit,
            joins: 0,
        }
    }

    pub(crate) fn add(&mut self, effect: Effect, bytes: usize) -> Result<(), EmitError> {
        let asked = self.bytes + bytes + size_of::<Effect>();
        if asked > self.limit {
            return Err(EmitError::TooMuch {
                asked,
                limit: self.limit,
            });
        }
        self.bytes = asked;
        self.list.push(effect);
        Ok(())
    }

    /// For what is small, and must not fail for what was asked before it.
    fn add_small(&mut self, effect: Effect) {
        self.bytes += size_of::<Effect>();
        self.list.push(effect);
    }
}

impl<Data> Socket<Data> {
    /// The socket's id, as the client knows it. Public: other clients may learn it.
    pub fn id(&self) -> &SocketId {
        &self.context.id
    }

    /// What its session is called in a [census](Io::census). All sockets of one client's connection share it.
    pub fn session_tag(&self) -> SessionTag {
        SessionTag::of(&self.context.address.key)
    }

    /// The namespace that it is connected to.
    pub fn namespace(&self) -> &NamespaceName {
        &self.context.namespace
    }

    /// What the client told with its first request.
    pub fn handshake(&self) -> &Handshake {
        &self.context.handshake
    }

    /// The rooms that the socket is in, as of the start of the handler or its last flush.
    pub fn rooms(&self) -> &BTreeSet<Room> {
        &self.context.rooms
    }

    /// Where the session is at present.
    pub fn whereabouts(&self) -> &Whereabouts {
        &self.context.whereabouts
    }

    /// Emits an event to the client. A tuple is several arguments, anything else is one.
    ///
    /// # Errors
    /// When the name is reserved, the arguments cannot be sent, or the handler has asked for too much.
    pub fn emit<T: Serialize + ?Sized>(&mut self, name: &str, args: &T) -> Result<(), EmitError> {
        let event = Event::new(name, args)?;
        let bytes = size(&event.args);
        self.context.effects.add(Effect::Emit(event), bytes)
    }

    /// Emits an event and asks the client to answer. The answer comes to [`Namespace::acked`](crate::Namespace::acked) with
    /// the `context`, also when the session has moved to another node meanwhile.
    ///
    /// # Errors
    /// As [`emit`](Self::emit), and when the context cannot be written as JSON.
    pub fn emit_with_ack<T: Serialize + ?Sized, C: Serialize + ?Sized>(
        &mut self,
        name: &str,
        args: &T,
        context: &C,
        timeout: Duration,
    ) -> Result<(), EmitError> {
        let event = Event::new(name, args)?;
        let context = Json::encode(context)?;
        let bytes = size(&event.args);
        self.context.effects.add(
            Effect::EmitWithAck {
                event,
                context,
                timeout,
            },
            bytes,
        )
    }

    /// Answers an event that asked for it; does nothing for one that did not.
    ///
    /// # Errors
    /// When the arguments cannot be sent or the handler has asked for too much.
    pub fn ack<T: Serialize + ?Sized>(&mut self, ack: Option<AckId>, args: &T) -> Result<(), EmitError> {
        let args = Args::encode(args)?;
        self.ack_with(ack, args)
    }

    /// As [`ack`](Self::ack), with arguments that are encoded already.
    ///
    /// # Errors
    /// When the handler has asked for too much.
    pub fn ack_with(&mut self, ack: Option<AckId>, args: Args) -> Result<(), EmitError> {
        let Some(id) = ack else { return Ok(()) };
        let bytes = size(&args);
        self.context.effects.add(Effect::Ack { id, args }, bytes)
    }

    /// Answers an event that cannot be served, such as one whose arguments the handler cannot read, with `{"error": "…"}`: so
    /// nobody waits for an answer in vain. Does nothing for one that asked for none.
    ///
    /// ```
    /// # use hither::{EmitError, Received, Socket};
    /// fn join(socket: &mut Socket<()>, Received { event, ack }: Received) -> Result<(), EmitError> {
    ///     match event.args.parse_first::<String>() {
    ///         Ok(room) => {
    ///             socket.join(room)?;
    ///             socket.ack(ack, &())
    ///         }
    ///         Err(error) => socket.reject(ack, &error),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// When the handler has asked for too much.
    pub fn reject(&mut self, ack: Option<AckId>, error: &impl Display) -> Result<(), EmitError> {
        self.ack_with(ack, Args::rejection(error))
    }

    /// Emits an event whose arguments are encoded already, such as those of a received one.
    ///
    /// # Errors
    /// When the name is reserved or the handler has asked for too much.
    pub fn emit_with(&mut self, name: &str, args: Args) -> Result<(), EmitError> {
        let name = hither_socketio::EventName::new(name).map_err(EventError::from)?;
        let bytes = size(&args);
        self.context
            .effects
            .add(Effect::Emit(Event { name, args }), bytes)
    }

    /// Joins a room. What is asked after it happens once every node knows of it: who is acknowledged a join misses
    /// nothing that is published later, anywhere.
    ///
    /// # Errors
    /// When the socket would be in more rooms than [`ClientLimits::rooms`](crate::ClientLimits::rooms), or the room's name has
    /// more than 1,024 bytes.
    pub fn join(&mut self, room: impl Into<Room>) -> Result<(), EmitError> {
        let room = room.into();
        let (length, limit) = (room.as_str().len(), MAX_ROOM_NAME);
        if length > limit {
            return Err(EmitError::LongRoomName { length, limit });
        }
        let limit = self.context.io.client_limits().rooms;
        let rooms = self.context.rooms.len() + self.context.effects.joins;
        if rooms >= limit && !self.context.rooms.contains(&room) {
            return Err(EmitError::TooManyRooms { limit });
        }
        self.context.effects.joins += 1;
        self.context.effects.add_small(Effect::Join(room));
        Ok(())
    }

    /// Leaves a room.
    pub fn leave(&mut self, room: impl Into<Room>) {
        self.context.effects.add_small(Effect::Leave(room.into()));
    }

    /// Says whose socket this is. From then on that person is present in every room that the socket is in, while its client
    /// is connected: see [`Presence`](crate::Presence). Said again, it replaces what was said before.
    ///
    /// # Errors
    /// When the handler has asked for too much.
    pub fn identify(&mut self, person: Person) -> Result<(), EmitError> {
        let bytes = person.key.as_str().len() + person.card.as_str().len();
        self.context.effects.add(Effect::Identify(person), bytes)
    }

    /// The whole server, of which this node is a part.
    pub fn io(&self) -> &Io {
        &self.context.io
    }

    /// Speaks to the others in a room; see [`Broadcast::including_self`].
    pub fn to(&mut self, room: impl Into<Room>) -> Broadcast<'_> {
        self.broadcast().to(room)
    }

    /// Speaks to all others in the namespace.
    pub fn broadcast(&mut self) -> Broadcast<'_> {
        let me = self.context.id.clone();
        Broadcast {
            context: &mut self.context,
            rooms: Vec::new(),
            except: vec![me],
            except_rooms: Vec::new(),
        }
    }

    /// Disconnects the client from the namespace. It does not reconnect by itself.
    pub fn disconnect(&mut self) {
        self.context
            .effects
            .add_small(Effect::Disconnect { close: false });
    }

    /// Closes the client's whole session, all its namespaces included.
    pub fn close(&mut self) {
        self.context.effects.add_small(Effect::Disconnect { close: true });
    }

    /// Has what was asked so far done now, and waits until it is. For handlers that take their time.
    pub async fn flush(&mut self) {
        let context = &mut self.context;
        let limit = context.effects.limit;
        let effects = std::mem::replace(&mut context.effects, Effects::new(limit));
        let (done, applied) = oneshot::channel();
        context.lane.send(LaneEvent::Effects {
            address: context.address.clone(),
            effects: effects.list,
            done,
        });
        // The sender is dropped without an answer when the session has ended: then there is nothing to wait for.
        if let Ok(rooms) = applied.await {
            context.rooms = rooms;
        }
    }
}

/// An event for rooms, about to be emitted.
pub struct Broadcast<'a> {
    context: &'a mut SocketContext,
    rooms: Vec<Room>,
    except: Vec<SocketId>,
    except_rooms: Vec<Room>,
}

impl Broadcast<'_> {
    /// To this room; with several rooms each socket receives the event once.
    #[must_use]
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.rooms.push(room.into());
        self
    }

    /// Not to those in this room.
    #[must_use]
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.except_rooms.push(room.into());
        self
    }

    /// To the socket itself too, if it is in the room.
    #[must_use]
    pub fn including_self(mut self) -> Self {
        self.except.retain(|socket| *socket != self.context.id);
        self
    }

    /// Emits the event: encoded once, sent once to each node where somebody is to receive it.
    ///
    /// # Errors
    /// As [`Socket::emit`].
    pub fn emit<T: Serialize + ?Sized>(self, name: &str, args: &T) -> Result<(), EmitError> {
        self.emit_event(&Event::new(name, args)?)
    }

    /// As [`emit`](Self::emit), with an event that is encoded already.
    ///
    /// # Errors
    /// When the handler has asked for too much.
    pub fn emit_event(self, event: &Event) -> Result<(), EmitError> {
        let namespace = self.context.namespace.clone();
        for (room, event) in publications(namespace, &self.rooms, self.except, self.except_rooms, event) {
            let bytes = size(&event.event.args);
            self.context.effects.add(Effect::Publish { room, event }, bytes)?;
        }
        Ok(())
    }
}

fn size(args: &Args) -> usize {
    args.json().len() + args.attachments().iter().map(Bytes::len).sum::<usize>()
}

/// One publication per room; who is in several of the rooms receives only the first.
pub(crate) fn publications(
    namespace: NamespaceName,
    rooms: &[Room],
    except: Vec<SocketId>,
    except_rooms: Vec<Room>,
    event: &Event,
) -> Vec<(Option<Room>, RoomEvent)> {
    let publication = |earlier: &[Room]| RoomEvent {
        namespace: namespace.clone(),
        event: event.clone(),
        except: except.clone(),
        except_rooms: except_rooms.iter().chain(earlier).cloned().collect(),
    };
    if rooms.is_empty() {
        return vec![(None, publication(&[]))];
    }
    rooms
        .iter()
        .enumerate()
        .map(|(index, room)| (Some(room.clone()), publication(&rooms[..index])))
        .collect()
}
