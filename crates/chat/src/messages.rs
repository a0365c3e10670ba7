//! What people say in rooms.

use hither_store::{Author, Message, MessageKind, NewMessage, Number, PersonId, Role, Timestamp};
use serde::Serialize;
use tracing::warn;

use crate::{
    actor::Actor,
    limits::Kind,
    refusal::Refusal,
    request::{
        self, MessageAt, MessageChanges, MessageEdit, MessageHistory, MessageReact, MessageSearch,
        MessageSend,
    },
    service::{PAGE, Service, span},
    uploads::MAX_ATTACHMENTS,
    view::{MessageView, PageView, PersonView, SaidView},
};

/// A message is durable.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    number: Number,
    time: Timestamp,
}

/// A message as it is now.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    message: MessageView,
}

/// What has changed.
#[derive(Debug, Serialize)]
pub(crate) struct Changes {
    messages: Vec<MessageView>,
    changed: u64,
    more: bool,
}

/// What a search found.
#[derive(Debug, Serialize)]
pub(crate) struct Hits {
    messages: Vec<MessageView>,
    more: bool,
}

impl Service {
    /// Stores a message, and tells the room. A repetition is answered alike, and told again: its sender's node may have died
    /// between the two.
    pub(crate) async fn send(&self, actor: &Actor, send: MessageSend) -> Result<Sent, Refusal> {
        self.limits.take(actor.id, Kind::Messages)?;
        if send.attachments.len() > MAX_ATTACHMENTS {
            let message = format!("A message may have {MAX_ATTACHMENTS} attachments.");
            return Err(Refusal::bad(message));
        }
        let text = match send.attachments[..] {
            [] => request::text(&send.text, self.config.max_message_bytes)?,
            [..] => request::caption(&send.text, self.config.max_message_bytes)?,
        };
        let message = NewMessage {
            room: send.room,
            author: Author::Person(actor.id),
            client_id: send.id,
            kind: send.kind.into(),
            text,
            reply_to: send.reply_to,
            attachments: send.attachments,
        };
        self.say(message, actor.view()).await
    }

    /// Stores what a person or a webhook says, and tells the room.
    pub(crate) async fn say(&self, message: NewMessage, author: PersonView) -> Result<Sent, Refusal> {
        self.limits.take_room(message.room)?;
        let room = message.room;
        let said = SaidView::new(&message, author);
        let appended = self.store.append(message).await?;
        let sent = Sent {
            number: appended.number,
            time: appended.time,
        };
        match said.filter(|_| !appended.repeated) {
            Some(said) => self.publish(said.stored(&appended)).await,
            // It has a quote or attachments, or was stored before and may have changed since.
            None => match self.store.message(room, appended.number).await {
                Ok(message) => self.publish(message.into()).await,
                // It is durable, so it is acknowledged; others find it by the gap in the numbers.
                Err(error) => warn!(%room, %error, "cannot publish a stored message"),
            },
        }
        Ok(sent)
    }

    pub(crate) async fn edit(&self, actor: &Actor, edit: MessageEdit) -> Result<Changed, Refusal> {
        self.limits.take(actor.id, Kind::Messages)?;
        let text = request::text(&edit.text, self.config.max_message_bytes)?;
        let message = self.store.edit(edit.room, edit.number, actor.id, &text).await?;
        self.changed(message).await
    }

    pub(crate) async fn delete(&self, actor: &Actor, at: MessageAt) -> Result<Changed, Refusal> {
        self.limits.take(actor.id, Kind::Messages)?;
        let moderates = self.role(at.room, actor.id).await? != Role::Member;
        let message = self.store.delete(at.room, at.number, actor.id, moderates).await?;
        self.changed(message).await
    }

    pub(crate) async fn react(&self, actor: &Actor, react: MessageReact) -> Result<Changed, Refusal> {
        self.limits.take(actor.id, Kind::Messages)?;
        let MessageReact {
            room,
            number,
            emoji,
            on,
        } = react;
        let message = self.store.react(room, number, actor.id, &emoji, on).await?;
        self.changed(message).await
    }

    async fn changed(&self, message: Message) -> Result<Changed, Refusal> {
        Ok(Changed {
            message: self.publish_change(message).await,
        })
    }

    pub(crate) async fn history(&self, person: PersonId, asked: MessageHistory) -> Result<PageView, Refusal> {
        self.limits.take(person, Kind::Requests)?;
        let span = span(asked.before, asked.after, asked.around, asked.date)?;
        self.role(asked.room, person).await?;
        self.page(asked.room, span, asked.limit).await
    }

    pub(crate) async fn changes(&self, person: PersonId, asked: MessageChanges) -> Result<Changes, Refusal> {
        self.limits.take(person, Kind::Requests)?;
        self.role(asked.room, person).await?;
        let found = self.store.changes(asked.room, asked.since, PAGE).await?;
        Ok(Changes {
            messages: found.messages.into_iter().map(MessageView::from).collect(),
            changed: found.last_change,
            more: found.more,
        })
    }

    pub(crate) async fn search(&self, person: PersonId, asked: MessageSearch) -> Result<Hits, Refusal> {
        self.limits
            .take_shared(&self.store, person, Kind::Searches, 1)
            .await?;
        self.role(asked.room, person).await?;
        let found = self
            .store
            .search(asked.room, &asked.query, asked.before, PAGE)
            .await?;
        Ok(Hits {
            messages: found.messages.into_iter().map(MessageView::from).collect(),
            more: found.more,
        })
    }
}

/// What a webhook says.
pub(crate) fn by_webhook(
    webhook: &hither_store::Webhook,
    id: hither_store::ClientId,
    text: String,
) -> NewMessage {
    NewMessage {
        room: webhook.room,
        author: Author::Webhook(webhook.id),
        client_id: id,
        kind: MessageKind::Text,
        text,
        reply_to: None,
        attachments: Vec::new(),
    }
}
