//! Who came into a room, went or has another role, as the room is told of it.

use hither_store::{Role, RoomId, StoreError};
use serde::Serialize;

use crate::{audience, news::Affected, service::Service, view::PersonView};

/// Whom one event names. Where more has changed, members ask for the list if they show it.
const NAMED_AT_ONCE: usize = 50;

/// The memberships of a room that have changed since it was told.
#[derive(Debug)]
pub(crate) enum Changes {
    Of(Vec<Affected>),
    /// More than one event names.
    Many,
}

#[derive(Debug, Serialize)]
struct MembersChanged {
    room: RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Vec<MemberChanged>>,
}

/// Somebody in a room, or no longer in it.
#[derive(Debug, Serialize)]
struct MemberChanged {
    #[serde(flatten)]
    person: PersonView,
    role: Option<Role>,
}

impl Changes {
    /// With one more; each person counts once.
    pub(crate) fn with(known: Option<Self>, one: Affected) -> Self {
        match known {
            None => Self::Of(vec![one]),
            Some(Self::Many) => Self::Many,
            Some(Self::Of(mut affected)) => {
                affected.retain(|other| other.id != one.id);
                if affected.len() == NAMED_AT_ONCE {
                    return Self::Many;
                }
                affected.push(one);
                Self::Of(affected)
            }
        }
    }
}

impl Service {
    /// Tells a room whose membership has changed, as the store has it now: another node may know of a later change, and has
    /// perhaps told it already.
    pub(crate) async fn tell_changes(&self, room: RoomId, changes: Changes) {
        let changed = match changes {
            Changes::Many => None,
            Changes::Of(affected) => match self.as_stored(room, affected).await {
                Ok(changed) => Some(changed),
                Err(error) => {
                    tracing::debug!(%room, %error, "cannot look up who has changed; members are told to ask");
                    None
                }
            },
        };
        let event = MembersChanged { room, changed };
        self.emit(&audience::of_room(room), "members.changed", &event)
            .await;
    }

    async fn as_stored(
        &self,
        room: RoomId,
        affected: Vec<Affected>,
    ) -> Result<Vec<MemberChanged>, StoreError> {
        let ids: Vec<_> = affected.iter().map(|one| one.id).collect();
        let members = self.store.members_among(room, &ids).await?;
        let as_stored = |one: Affected| match members.iter().find(|member| member.person.id == one.id) {
            Some(member) => MemberChanged {
                person: (&member.person).into(),
                role: Some(member.role),
            },
            None => MemberChanged {
                person: one.view,
                role: None,
            },
        };
        Ok(affected.into_iter().map(as_stored).collect())
    }
}

#[cfg(test)]
mod tests {
    use hither_store::AuthorKind;

    use hither_store::PersonId;

    use super::*;

    fn somebody() -> Affected {
        Affected {
            id: PersonId::random(),
            view: PersonView {
                name: "Ada".into(),
                kind: AuthorKind::Guest,
            },
        }
    }

    #[test]
    fn each_person_is_named_once_and_too_many_are_not_named() {
        let (first, again) = (somebody(), somebody());
        let mut changes = Changes::with(None, first.clone());
        for one in [again.clone(), first.clone(), again] {
            changes = Changes::with(Some(changes), one);
        }
        let Changes::Of(affected) = &changes else {
            panic!("two can be named");
        };
        assert_eq!(affected.len(), 2);
        for _ in 2..NAMED_AT_ONCE {
            changes = Changes::with(Some(changes), somebody());
        }
        changes = Changes::with(Some(changes), first);
        assert!(matches!(&changes, Changes::Of(all) if all.len() == NAMED_AT_ONCE));
        changes = Changes::with(Some(changes), somebody());
        assert!(matches!(changes, Changes::Many));
        assert!(matches!(Changes::with(Some(changes), somebody()), Changes::Many));
    }
}
