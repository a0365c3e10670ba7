//! In which rooms a socket is: those of its person, as the store has them.

use std::collections::BTreeSet;

use hither::{EmitError, Socket};
use hither_store::{Membership, Missing, RoomId, StoreError};
use serde::Serialize;
use tracing::{debug, warn};

use crate::{
    audience,
    news::{Gone, GoneReason, LoginEnd},
    participant::{Participant, log_unsent, sign_out},
    refusal::Failure,
    service::Service,
    view::MembershipView,
};

#[derive(Serialize)]
pub(crate) struct Joined {
    membership: MembershipView,
}

#[derive(Serialize)]
struct RoomLeft<'a> {
    room: RoomId,
    #[serde(flatten)]
    gone: &'a Gone,
}

impl Service {
    /// Brings a socket into one room of its person, or out of it, as the store says.
    pub(crate) async fn compare_room(
        &self,
        socket: &mut Socket<Participant>,
        room: RoomId,
        gone: Option<Gone>,
    ) -> Result<(), EmitError> {
        let person = socket.data.actor.id;
        match self.store.membership(room, person).await {
            Ok(membership) => {
                let joined = enter(socket, membership).await?;
                socket.emit("room.joined", &joined.membership)
            }
            // Without a reason this is news of an earlier change: the one that ended the membership is told with its own.
            Err(StoreError::NotFound(Missing::Member | Missing::Room)) => {
                gone.map_or(Ok(()), |gone| go(socket, room, &gone))
            }
            Err(error) => {
                warn!(%room, %error, "cannot find out whether a socket belongs to a room");
                // Rather too few rooms than too many: the client sees it, and connects anew.
                gone.map_or(Ok(()), |gone| go(socket, room, &gone))
            }
        }
    }

    /// Compares all that a socket stands for with the store.
    pub(crate) async fn compare(&self, socket: &mut Socket<Participant>) {
        let done = self.compare_all(socket).await;
        if let Err(Failure::Refused(refusal)) = &done {
            // As long as the store does not answer, people stay where they are.
            debug!(socket = %socket.id(), %refusal, "cannot compare a socket's rooms with the store");
            socket.data.owner = String::new();
        }
        log_unsent(
            socket,
            done.map_err(|failure| match failure {
                Failure::Unsent(error) => Some(error),
                Failure::Refused(_) => None,
            }),
        );
    }

    async fn compare_all(&self, socket: &mut Socket<Participant>) -> Result<(), Failure> {
        if !self.is_signed_in(socket).await? {
            return Ok(sign_out(socket, LoginEnd::SignedOut)?);
        }
        let memberships = self.store.memberships(socket.data.actor.id).await?;
        let wanted: BTreeSet<RoomId> = memberships.iter().map(|membership| membership.room.id).collect();
        let present: BTreeSet<RoomId> = socket.rooms().iter().filter_map(audience::chat_room).collect();
        for membership in memberships {
            if !present.contains(&membership.room.id) {
                let joined = enter(socket, membership).await?;
                socket.emit("room.joined", &joined.membership)?;
            }
        }
        let gone = Gone {
            reason: GoneReason::Left,
            by: None,
        };
        for room in present.difference(&wanted) {
            go(socket, *room, &gone)?;
        }
        socket.data.owner = socket.whereabouts().owner.as_str().to_owned();
        Ok(())
    }
}

/// Brings the socket into a room of its person. What is asked of it next happens when all nodes know.
pub(crate) async fn enter(
    socket: &mut Socket<Participant>,
    membership: Membership,
) -> Result<Joined, EmitError> {
    let room = audience::of_room(membership.room.id);
    if !socket.rooms().contains(&room) {
        socket.join(room)?;
        socket.flush().await;
    }
    Ok(Joined {
        membership: membership.into(),
    })
}

fn go(socket: &mut Socket<Participant>, room: RoomId, gone: &Gone) -> Result<(), EmitError> {
    let audience = audience::of_room(room);
    if !socket.rooms().contains(&audience) {
        return Ok(());
    }
    socket.leave(audience);
    socket.emit("room.left", &RoomLeft { room, gone })
}
