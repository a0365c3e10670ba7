//! What owners and moderators do.

use hither_store::{Missing, Person, Role, Standing, StoreError};

use crate::{
    actor::Actor,
    audience,
    limits::Kind,
    news::{Gone, GoneReason},
    refusal::Refusal,
    request::{GivenRole, PersonInRoom, RoomRole, RoomTopic},
    service::Service,
    view::PersonView,
};

impl Service {
    pub(crate) async fn topic(&self, actor: &Actor, change: RoomTopic) -> Result<(), Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        self.moderates(change.room, actor.id).await?;
        let room = self.store.set_topic(change.room, change.topic.trim()).await?;
        let changed = serde_json::json!({ "room": room.id, "topic": room.topic });
        self.emit(&audience::of_room(room.id), "room.changed", &changed)
            .await;
        Ok(())
    }

    pub(crate) async fn give_role(&self, actor: &Actor, change: RoomRole) -> Result<(), Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        if self.role(change.room, actor.id).await? != Role::Owner {
            return Err(Refusal::forbidden("Only the owner of the room can do this."));
        }
        let other = self.somebody(&change.name).await?;
        if other.id == actor.id {
            return Err(Refusal::bad(
                "An owner stays owner; leave the room to hand it over.",
            ));
        }
        let role = match change.role {
            GivenRole::Moderator => Role::Moderator,
            GivenRole::Member => Role::Member,
        };
        self.store.set_role(change.room, other.id, role).await?;
        self.tell_room(other.id, change.room, None).await;
        self.tell_member(change.room, other.id, (&other).into()).await;
        Ok(())
    }

    pub(crate) async fn remove(&self, actor: &Actor, remove: PersonInRoom) -> Result<(), Refusal> {
        let other = self.inferior(actor, &remove).await?;
        let heir = match self.store.leave(remove.room, other.id).await {
            Ok(heir) => heir,
            Err(StoreError::NotFound(Missing::Member)) => {
                // Not in it, but perhaps invited to it.
                match self.store.decline(remove.room, other.id).await {
                    Ok(()) => None,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        self.sent_away(actor, &remove, other, GoneReason::Removed, heir)
            .await;
        Ok(())
    }

    pub(crate) async fn ban(&self, actor: &Actor, ban: PersonInRoom) -> Result<(), Refusal> {
        let other = self.inferior(actor, &ban).await?;
        let heir = self.store.ban(ban.room, other.id).await?;
        self.sent_away(actor, &ban, other, GoneReason::Banned, heir).await;
        Ok(())
    }

    pub(crate) async fn unban(&self, actor: &Actor, unban: PersonInRoom) -> Result<(), Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        self.moderates(unban.room, actor.id).await?;
        let other = self.somebody(&unban.name).await?;
        match self.store.unban(unban.room, other.id).await {
            // Asked again because the answer was lost.
            Ok(()) | Err(StoreError::NotFound(Missing::Member)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody whom the actor may send out of a room.
    async fn inferior(&self, actor: &Actor, which: &PersonInRoom) -> Result<Person, Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        let mine = self.moderates(which.room, actor.id).await?;
        let other = self.somebody(&which.name).await?;
        if other.id == actor.id {
            return Err(Refusal::bad("To go yourself, leave the room."));
        }
        let standing = self.store.standing(which.room, other.id).await?;
        match (mine, standing) {
            (Role::Moderator, Some(Standing::In(Role::Owner | Role::Moderator))) => Err(Refusal::forbidden(
                "Only the owner can send a moderator away, and nobody the owner.",
            )),
            _ => Ok(other),
        }
    }

    async fn sent_away(
        &self,
        actor: &Actor,
        which: &PersonInRoom,
        other: Person,
        reason: GoneReason,
        heir: Option<hither_store::Member>,
    ) {
        let gone = Gone {
            reason,
            by: Some(actor.name.as_str().to_owned()),
        };
        let view = PersonView::from(&other);
        self.gone(which.room, other.id, view, gone, heir).await;
        let did = match reason {
            GoneReason::Banned => "banned",
            GoneReason::Removed | GoneReason::Left => "removed",
        };
        let text = format!("{} {did} {}", actor.name.as_str(), other.name.as_str());
        self.notice(which.room, text).await;
    }
}
