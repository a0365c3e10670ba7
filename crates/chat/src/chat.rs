//! The namespace of the chat.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hither::{
    ConnectError, DisconnectReason, EmitError, Io, Json, Namespace, NamespaceName, Received, Room, Socket,
};
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::{
    NAMESPACE,
    card::Card,
    census::Census,
    config::ChatConfig,
    doubtful::DoubtfulRooms,
    members::{TELLINGS, members},
    message::Message,
    protocol::{
        Answer, Limits, Member, MemberJoined, MemberLeft, RoomList, RoomMembers, RoomMessage, Welcome, event,
    },
    refusal::{Failure, Refusal},
    request::Request,
    sign_in,
    tasks::ChatTasks,
    user_name::UserName,
};

/// A chat with many rooms: the namespace to mount at [`NAMESPACE`]. Clones are the same chat.
#[derive(Clone)]
pub struct Chat {
    config: Arc<ChatConfig>,
    census: Arc<Census>,
    doubtful: Arc<DoubtfulRooms>,
}

/// What the chat keeps of each socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The name that the others see, whatever the client claims later.
    pub user: UserName,
}

impl Chat {
    /// A chat that nobody is in yet.
    pub fn new(config: ChatConfig) -> Self {
        Self {
            config: Arc::new(config),
            census: Arc::default(),
            doubtful: Arc::default(),
        }
    }

    /// Begins what the chat does by itself on a server where it is mounted at [`NAMESPACE`]: when people are lost with a
    /// node, those who stay are told. Without it, they would be shown as members for ever.
    pub fn start(&self, io: Io) -> ChatTasks {
        #[expect(
            clippy::expect_used,
            reason = "a constant that begins with a slash and holds no comma"
        )]
        let namespace = NamespaceName::new(NAMESPACE).expect("a valid name");
        ChatTasks::start(io, namespace, self.doubtful.clone())
    }
}

impl Namespace for Chat {
    type Data = Participant;

    async fn connect(
        &self,
        socket: &mut Socket<()>,
        auth: Option<Json>,
    ) -> Result<Participant, ConnectError> {
        let user = sign_in::user(auth.as_ref())?;
        match self.welcome(socket, &user) {
            Ok(()) => Ok(Participant { user }),
            Err(error) => {
                warn!(socket = %socket.id(), %error, "a client cannot be welcomed");
                Err(sign_in::refused(
                    "internal",
                    "The server cannot let you in now; please try again later.",
                ))
            }
        }
    }

    async fn event(&self, socket: &mut Socket<Participant>, received: Received) {
        let Err(failure) = self.serve(socket, &received).await else {
            return;
        };
        let answer = match failure {
            Failure::Refused(refusal) => Answer::refused(&refusal),
            Failure::Unsent(error) => {
                warn!(socket = %socket.id(), event = %received.event.name, %error, "a request failed");
                Answer::refused(&"The server could not do this; please try again.")
            }
        };
        if let Err(error) = socket.ack(received.ack, &answer) {
            warn!(socket = %socket.id(), %error, "a refusal could not be sent");
        }
    }

    async fn disconnect(&self, socket: &mut Socket<Participant>, reason: DisconnectReason) {
        for room in socket.rooms().clone() {
            if let Err(error) = tell_departure(socket, &room, Some(&reason)) {
                warn!(socket = %socket.id(), %room, %error, "a departure could not be told");
            }
        }
    }

    /// A connection that breaks and is back in a moment is nobody's business.
    const PATIENCE: Duration = Duration::from_secs(3);

    async fn recovered(&self, socket: &mut Socket<Participant>, disconnected: bool) {
        // The others were told that it left.
        if disconnected {
            for room in socket.rooms().clone() {
                if let Err(error) = tell_arrival(socket, &room) {
                    warn!(socket = %socket.id(), %room, %error, "a return could not be told");
                }
            }
        }
    }

    const FOLLOWS_WHEREABOUTS: bool = true;

    async fn relocated(&self, socket: &mut Socket<Participant>) {
        if let Err(error) = tell_placement(socket) {
            warn!(socket = %socket.id(), %error, "a client could not be told where its session is");
        }
    }
}

impl Chat {
    fn welcome(&self, socket: &mut Socket<()>, user: &UserName) -> Result<(), EmitError> {
        socket.show(&Card {
            user,
            rooms: &BTreeSet::new(),
        })?;
        let limits = Limits {
            message: self.config.max_message_bytes,
        };
        socket.emit(
            event::WELCOME,
            &Welcome {
                user,
                rooms: &self.config.suggested_rooms,
                limits,
            },
        )?;
        tell_placement(socket)
    }

    async fn serve(&self, socket: &mut Socket<Participant>, received: &Received) -> Result<(), Failure> {
        match Request::read(&received.event, self.config.max_message_bytes)? {
            Request::Join(room) => self.join(socket, received, &room.room()).await,
            Request::Leave(room) => leave(socket, received, &room.room()),
            Request::Say { room, message } => say(socket, received, &room.room(), &message),
            Request::ListRooms => self.list_rooms(socket, received).await,
        }
    }

    async fn join(
        &self,
        socket: &mut Socket<Participant>,
        received: &Received,
        room: &Room,
    ) -> Result<(), Failure> {
        if socket.rooms().contains(room) {
            return Err(Refusal::AlreadyJoined.into());
        }
        if socket.rooms().len() >= self.config.max_rooms_per_socket {
            return Err(Refusal::TooManyRooms(socket.rooms().len()).into());
        }
        socket.join(room.clone())?;
        socket.flush().await;
        if !socket.rooms().contains(room) {
            // The client left while it joined: nobody is to hear that it came, for nobody would hear that it went.
            return Ok(());
        }
        let rooms = socket.rooms().clone();
        show(socket, &rooms)?;
        tell_arrival(socket, room)?;
        socket.flush().await;
        debug!(%room, socket = %socket.id(), "joined");
        if let Err(error) = self.introduce(socket, received, room).await {
            depart(socket, room)?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Answers a join with the members of the room. When this fails, nothing was answered.
    async fn introduce(
        &self,
        socket: &mut Socket<Participant>,
        received: &Received,
        room: &Room,
    ) -> Result<(), EmitError> {
        match members(socket.io(), socket.namespace(), room).await {
            Ok(list) => {
                socket.ack(
                    received.ack,
                    &Answer::accepted(RoomMembers { room, members: &list }),
                )?;
                self.correct(socket, room, list).await;
            }
            Err(error) => {
                warn!(%room, %error, "who joined cannot be told now who else is there");
                let alone = [Member {
                    id: socket.id().clone(),
                    user: socket.data.user.clone(),
                }];
                socket.ack(
                    received.ack,
                    &Answer::accepted(RoomMembers {
                        room,
                        members: &alone,
                    }),
                )?;
                self.doubtful.note([room.clone()]);
            }
        }
        Ok(())
    }

    /// Tells the members of the room again until they are what was told; see [`TELLINGS`].
    async fn correct(&self, socket: &mut Socket<Participant>, room: &Room, mut told: Vec<Member>) {
        for _ in 0..TELLINGS {
            socket.flush().await;
            match members(socket.io(), socket.namespace(), room).await {
                Ok(list) if list == told => return,
                Ok(list) => told = list,
                Err(_) => break,
            }
            if let Err(error) = socket.emit(event::ROOM_MEMBERS, &RoomMembers { room, members: &told }) {
                warn!(socket = %socket.id(), %room, %error, "the members of a room cannot be told");
                return;
            }
        }
        self.doubtful.note([room.clone()]);
    }

    async fn list_rooms(&self, socket: &mut Socket<Participant>, received: &Received) -> Result<(), Failure> {
        let rooms = self
            .census
            .rooms(socket.io(), socket.namespace(), &self.config)
            .await;
        socket.ack(received.ack, &Answer::accepted(RoomList { rooms: &rooms? }))?;
        Ok(())
    }
}

fn show(socket: &mut Socket<Participant>, rooms: &BTreeSet<Room>) -> Result<(), EmitError> {
    let user = socket.data.user.clone();
    socket.show(&Card { user: &user, rooms })
}

fn tell_placement<Data>(socket: &mut Socket<Data>) -> Result<(), EmitError> {
    let whereabouts = socket.whereabouts().clone();
    socket.emit(event::PLACEMENT, &whereabouts)
}

fn tell_arrival(socket: &mut Socket<Participant>, room: &Room) -> Result<(), EmitError> {
    let (id, user) = (socket.id().clone(), socket.data.user.clone());
    let joined = MemberJoined {
        room,
        user: &user,
        id: &id,
    };
    socket.to(room.clone()).emit(event::JOIN_ROOM, &joined)
}

fn tell_departure(
    socket: &mut Socket<Participant>,
    room: &Room,
    reason: Option<&DisconnectReason>,
) -> Result<(), EmitError> {
    let (id, user) = (socket.id().clone(), socket.data.user.clone());
    let reason = reason.map(ToString::to_string);
    let left = MemberLeft {
        room,
        user: &user,
        id: &id,
        reason,
    };
    socket.to(room.clone()).emit(event::LEAVE_ROOM, &left)
}

fn leave(socket: &mut Socket<Participant>, received: &Received, room: &Room) -> Result<(), Failure> {
    if !socket.rooms().contains(room) {
        return Err(Refusal::NotJoined.into());
    }
    depart(socket, room)?;
    socket.ack(received.ack, &Answer::done())?;
    Ok(())
}

fn depart(socket: &mut Socket<Participant>, room: &Room) -> Result<(), EmitError> {
    let mut rooms = socket.rooms().clone();
    rooms.remove(room);
    socket.leave(room.clone());
    show(socket, &rooms)?;
    debug!(%room, socket = %socket.id(), "left");
    tell_departure(socket, room, None)
}

fn say(
    socket: &mut Socket<Participant>,
    received: &Received,
    room: &Room,
    message: &Message,
) -> Result<(), Failure> {
    if !socket.rooms().contains(room) {
        return Err(Refusal::NotJoined.into());
    }
    let (id, user) = (socket.id().clone(), socket.data.user.clone());
    let said = RoomMessage {
        room,
        user: &user,
        id: &id,
        message,
    };
    socket
        .to(room.clone())
        .including_self()
        .emit(event::CHAT_MESSAGE, &said)?;
    socket.ack(received.ack, &Answer::done())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_namespace_is_one() {
        assert!(NamespaceName::new(NAMESPACE).is_ok());
    }
}
