//! The rooms that somebody is in.

use hither_store::{Conflict, Membership, Missing, NewRoom, Role, RoomId, Standing, StoreError};
use serde::Serialize;

use crate::{
    actor::Actor,
    audience,
    limits::Kind,
    news::{Gone, GoneReason},
    refusal::{Code, Refusal},
    request::{self, InRoom, Named, NewKind, PersonInRoom, RoomCreate, RoomJoin, RoomRead, RoomSettings},
    service::Service,
    view::{InvitationView, PersonView},
};

/// How far somebody has read.
#[derive(Debug, Serialize)]
pub(crate) struct ReadView {
    room: RoomId,
    #[serde(flatten)]
    mark: hither_store::ReadMark,
}

impl Service {
    /// Makes a room. Its owner is in it.
    pub(crate) async fn create(&self, actor: &Actor, create: RoomCreate) -> Result<Membership, Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        self.has_place(actor).await?;
        let room = NewRoom {
            name: request::room_name(&create.name)?,
            private: create.kind == NewKind::Private,
            topic: create.topic.trim().to_owned(),
            owner: Some(actor.id),
        };
        let room = self.store.create_room(room).await?;
        self.tell_room(actor.id, room.id, None).await;
        Ok(self.store.membership(room.id, actor.id).await?)
    }

    /// Comes into a room. Who is in it already is told so as if he had come.
    pub(crate) async fn join(&self, actor: &Actor, join: RoomJoin) -> Result<Membership, Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        let room = match join {
            RoomJoin::Id { room } => room,
            RoomJoin::Name { name } => {
                let found = self.store.public_room(&request::room_name(&name)?).await?;
                let unknown = || Refusal::new(Code::NotFound, "There is no public room of this name.");
                found.ok_or_else(unknown)?.id
            }
        };
        self.has_place(actor).await?;
        match self.store.join(room, actor.id).await {
            Ok(_) => {
                self.tell_room(actor.id, room, None).await;
                self.emit(
                    &audience::of_person(actor.id),
                    "invitation.gone",
                    &serde_json::json!({ "room": room }),
                )
                .await;
                self.tell_member(room, actor.id, actor.view()).await;
            }
            Err(StoreError::Conflict(Conflict::AlreadyMember)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.store.membership(room, actor.id).await?)
    }

    /// A bound for what a socket joins when it connects.
    async fn has_place(&self, actor: &Actor) -> Result<(), Refusal> {
        let (rooms, max) = (
            self.store.memberships(actor.id).await?.len(),
            self.config.max_rooms,
        );
        if rooms < max {
            return Ok(());
        }
        let message = format!("You are in {rooms} rooms, and {max} are allowed; leave one first.");
        Err(Refusal::new(Code::Conflict, message))
    }

    pub(crate) async fn leave(&self, actor: &Actor, leave: InRoom) -> Result<(), Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        let heir = match self.store.leave(leave.room, actor.id).await {
            Ok(heir) => heir,
            // Asked again because the answer was lost.
            Err(StoreError::NotFound(Missing::Member)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let gone = Gone {
            reason: GoneReason::Left,
            by: None,
        };
        self.gone(leave.room, actor.id, actor.view(), gone, heir).await;
        Ok(())
    }

    /// Somebody is not in a room any more, and somebody else may have become its owner.
    pub(super) async fn gone(
        &self,
        room: RoomId,
        person: hither_store::PersonId,
        view: PersonView,
        gone: Gone,
        heir: Option<hither_store::Member>,
    ) {
        self.tell_room(person, room, Some(gone)).await;
        self.tell_member(room, person, view).await;
        self.inherited(room, heir).await;
    }

    /// Somebody may have become the owner of a room.
    async fn inherited(&self, room: RoomId, heir: Option<hither_store::Member>) {
        if let Some(heir) = heir {
            self.tell_room(heir.person.id, room, None).await;
            self.tell_member(room, heir.person.id, (&heir.person).into())
                .await;
        }
    }

    /// Somebody is gone, with their account or their last login session, and so out of their rooms.
    pub(crate) async fn departed(&self, deleted: hither_store::DeletedPerson) {
        for (room, heir) in deleted.rooms {
            self.tell_member(room, deleted.person.id, (&deleted.person).into())
                .await;
            self.inherited(room, heir).await;
        }
    }

    /// The room of two people.
    pub(crate) async fn direct(&self, actor: &Actor, with: Named) -> Result<Membership, Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        let other = self.somebody(&with.name).await?;
        if other.id == actor.id {
            return Err(Refusal::bad("A direct room is for two different people."));
        }
        let room = self.store.direct_room(actor.id, other.id).await?;
        for person in [actor.id, other.id] {
            self.tell_room(person, room.id, None).await;
        }
        Ok(self.store.membership(room.id, actor.id).await?)
    }

    pub(crate) async fn invite(&self, actor: &Actor, invite: PersonInRoom) -> Result<(), Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        let role = self.role(invite.room, actor.id).await?;
        let other = self.somebody(&invite.name).await?;
        match self.store.standing(invite.room, other.id).await? {
            // Asked again because the answer was lost.
            Some(Standing::In(_)) => return Ok(()),
            Some(Standing::Banned) if role == Role::Member => {
                return Err(Refusal::forbidden("This person is banned from the room."));
            }
            Some(Standing::Banned) => {
                return Err(Refusal::new(
                    Code::Conflict,
                    "This person is banned from the room; lift the ban first.",
                ));
            }
            _ => {}
        }
        let invitation = self.store.invite(invite.room, other.id, actor.id).await?;
        let to = audience::of_person(other.id);
        self.emit(&to, "invitation", &InvitationView::from(invitation))
            .await;
        Ok(())
    }

    pub(crate) async fn decline(&self, actor: &Actor, decline: InRoom) -> Result<(), Refusal> {
        match self.store.decline(decline.room, actor.id).await {
            Ok(()) | Err(StoreError::NotFound(Missing::Invitation)) => {}
            Err(error) => return Err(error.into()),
        }
        let to = audience::of_person(actor.id);
        let gone = serde_json::json!({ "room": decline.room });
        self.emit(&to, "invitation.gone", &gone).await;
        Ok(())
    }

    pub(crate) async fn settings(&self, actor: &Actor, settings: RoomSettings) -> Result<(), Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        if let Some(muted) = settings.muted {
            self.store.set_muted(settings.room, actor.id, muted).await?;
        }
        if let Some(order) = settings.order {
            self.store.set_place(settings.room, actor.id, order).await?;
        }
        self.tell_room(actor.id, settings.room, None).await;
        Ok(())
    }

    pub(crate) async fn read(
        &self,
        actor: &Actor,
        read: RoomRead,
    ) -> Result<hither_store::ReadMark, Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        let mark = self.store.mark_read(read.room, actor.id, read.number).await?;
        let view = ReadView {
            room: read.room,
            mark,
        };
        self.emit(&audience::of_person(actor.id), "room.read", &view)
            .await;
        Ok(mark)
    }
}
