//! Rooms: finding them, being in them, keeping order in them.

mod changes;
mod order;
mod own;
mod webhooks;

pub(crate) use self::changes::Changes;

use hither_store::RoomName;
use serde::Serialize;

use crate::{
    actor::Actor,
    limits::Kind,
    refusal::Refusal,
    request::{RoomList, RoomMembers},
    service::Service,
    view::{MemberView, RoomView},
};

/// Rooms that one answer lists.
const ROOMS: u32 = 50;
/// Members that one answer lists.
const MEMBERS: u32 = 100;

/// Public rooms.
#[derive(Debug, Serialize)]
pub(crate) struct Rooms {
    rooms: Vec<RoomView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<RoomName>,
}

/// Who is in a room, present or not.
#[derive(Debug, Serialize)]
pub(crate) struct Members {
    members: Vec<MemberView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<hither_store::PersonId>,
}

impl Service {
    pub(crate) async fn rooms(&self, actor: &Actor, asked: RoomList) -> Result<Rooms, Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Searches, 1)
            .await?;
        let RoomList { query, after } = asked;
        let mut rooms = self
            .store
            .public_rooms(query.trim(), after.as_ref(), ROOMS + 1, actor.id)
            .await?;
        let more = rooms.len() > ROOMS as usize;
        rooms.truncate(ROOMS as usize);
        let last = rooms.last().map(|summary| summary.room.name.clone());
        Ok(Rooms {
            rooms: rooms.into_iter().map(RoomView::from).collect(),
            next: last.filter(|_| more),
        })
    }

    pub(crate) async fn members(&self, actor: &Actor, asked: RoomMembers) -> Result<Members, Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        self.role(asked.room, actor.id).await?;
        let mut members = self.store.members(asked.room, asked.after, MEMBERS + 1).await?;
        let more = members.len() > MEMBERS as usize;
        members.truncate(MEMBERS as usize);
        let last = members.last().map(|member| member.person.id);
        Ok(Members {
            members: members.iter().map(MemberView::from).collect(),
            next: last.filter(|_| more),
        })
    }
}
