//! What clients are shown of what the store holds, as it stands on the wire.

use hither_store::{
    Appended, Attachment, AttachmentId, AuthorKind, ClientId, Invitation, Membership, Message, MessageKind,
    NewMessage, Number, Person, PersonKind, PersonName, Reaction, Role, Room, RoomId, RoomKind, RoomName,
    RoomSummary, Timestamp, Webhook, WebhookId,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PersonView {
    pub(crate) name: String,
    pub(crate) kind: AuthorKind,
}

impl PersonView {
    pub(crate) fn new(name: &PersonName, kind: PersonKind) -> Self {
        Self {
            name: name.as_str().to_owned(),
            kind: match kind {
                PersonKind::Member => AuthorKind::Member,
                PersonKind::Guest => AuthorKind::Guest,
            },
        }
    }
}

impl From<&Person> for PersonView {
    fn from(person: &Person) -> Self {
        Self::new(&person.name, person.kind)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageView {
    pub(crate) room: RoomId,
    pub(crate) number: Number,
    pub(crate) id: ClientId,
    pub(crate) time: Timestamp,
    pub(crate) author: PersonView,
    pub(crate) text: String,
    pub(crate) kind: MessageKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<QuoteView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edited: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reactions: Vec<ReactionView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<AttachmentView>,
    /// The room's count of changes when it last changed; none when it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<u64>,
}

/// A message that is new, quotes nothing and has no attachments: what is shown of it needs no look into the store.
pub(crate) struct SaidView(MessageView);

impl SaidView {
    pub(crate) fn new(message: &NewMessage, author: PersonView) -> Option<Self> {
        let is_all = message.reply_to.is_none() && message.attachments.is_empty();
        is_all.then(|| {
            Self(MessageView {
                room: message.room,
                number: Number::default(),
                id: message.client_id.clone(),
                time: Timestamp(0),
                author,
                text: message.text.clone(),
                kind: message.kind,
                reply_to: None,
                edited: None,
                deleted: false,
                reactions: Vec::new(),
                attachments: Vec::new(),
                changed: None,
            })
        })
    }

    pub(crate) fn stored(self, appended: &Appended) -> MessageView {
        MessageView {
            number: appended.number,
            time: appended.time,
            ..self.0
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct QuoteView {
    number: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReactionView {
    emoji: String,
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct AttachmentView {
    id: AttachmentId,
    name: String,
    #[serde(rename = "type")]
    media_type: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

impl From<&Attachment> for AttachmentView {
    fn from(file: &Attachment) -> Self {
        let (width, height) = file.dimensions.unzip();
        Self {
            id: file.id,
            name: file.name.as_str().to_owned(),
            media_type: file.media_type.clone(),
            bytes: file.size,
            width,
            height,
        }
    }
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        let reaction = |Reaction { emoji, names }| ReactionView { emoji, names };
        Self {
            room: message.room,
            number: message.number,
            id: message.client_id,
            time: message.time,
            author: PersonView {
                name: message.author.name,
                kind: message.author.kind,
            },
            text: message.text,
            kind: message.kind,
            reply_to: message.reply_to.map(|quote| {
                let (author, text) = quote.line.unzip();
                QuoteView {
                    number: quote.number,
                    author,
                    text,
                }
            }),
            edited: message.edited,
            deleted: message.deleted,
            reactions: message.reactions.into_iter().map(reaction).collect(),
            attachments: message.attachments.iter().map(AttachmentView::from).collect(),
            changed: Some(message.change).filter(|change| *change > 0),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct MembershipView {
    pub(crate) room: RoomId,
    pub(crate) name: String,
    pub(crate) kind: RoomKind,
    pub(crate) topic: String,
    pub(crate) role: Role,
    pub(crate) order: i64,
    pub(crate) muted: bool,
    pub(crate) last: Number,
    pub(crate) read: Number,
    pub(crate) unread: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<PersonView>,
}

impl From<Membership> for MembershipView {
    fn from(membership: Membership) -> Self {
        let peer = membership.peer.as_ref().map(PersonView::from);
        Self {
            room: membership.room.id,
            name: shown_name(&membership.room, peer.as_ref()),
            kind: membership.room.kind,
            topic: membership.room.topic,
            role: membership.role,
            order: membership.place,
            muted: membership.muted,
            last: membership.room.last,
            read: membership.mark.read,
            unread: membership.mark.unread,
            peer,
        }
    }
}

/// A direct room is called as the other person in it.
fn shown_name(room: &Room, peer: Option<&PersonView>) -> String {
    match (room.kind, peer) {
        (RoomKind::Direct, Some(peer)) => peer.name.clone(),
        (RoomKind::Direct, None) => "(gone)".to_owned(),
        _ => room.name.as_str().to_owned(),
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct RoomView {
    room: RoomId,
    name: RoomName,
    kind: RoomKind,
    topic: String,
    members: u64,
    joined: bool,
}

impl From<RoomSummary> for RoomView {
    fn from(summary: RoomSummary) -> Self {
        Self {
            room: summary.room.id,
            name: summary.room.name,
            kind: summary.room.kind,
            topic: summary.room.topic,
            members: summary.members,
            joined: summary.joined,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct InvitationView {
    room: RoomId,
    name: RoomName,
    kind: RoomKind,
    by: String,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            room: invitation.room.id,
            name: invitation.room.name,
            kind: invitation.room.kind,
            by: invitation.by,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct MemberView {
    name: String,
    kind: AuthorKind,
    role: Role,
}

impl From<&hither_store::Member> for MemberView {
    fn from(member: &hither_store::Member) -> Self {
        let PersonView { name, kind } = (&member.person).into();
        Self {
            name,
            kind,
            role: member.role,
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct WebhookView {
    id: WebhookId,
    name: String,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            name: webhook.name,
        }
    }
}

/// What one request for messages brings.
#[derive(Debug, Serialize)]
pub(crate) struct PageView {
    messages: Vec<MessageView>,
    last: Number,
    changed: u64,
    more: More,
}

#[derive(Debug, Serialize)]
struct More {
    before: bool,
    after: bool,
}

impl From<hither_store::Page> for PageView {
    fn from(page: hither_store::Page) -> Self {
        Self {
            messages: page.messages.into_iter().map(MessageView::from).collect(),
            last: page.last,
            changed: page.last_change,
            more: More {
                before: page.more_before,
                after: page.more_after,
            },
        }
    }
}
