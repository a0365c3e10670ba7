//! What sockets and HTTP share of the chat: the store, the limits, and the ways to speak to people.

use std::sync::{Arc, OnceLock};

use hither::{Io, NamespaceName, Room as Audience};
use hither_store::{
    Author, ClientId, Message, MessageKind, NewMessage, Number, Person, PersonId, Role, RoomId, RoomName,
    Standing, Store, StoreError,
};
use serde::Serialize;
use tokio::sync::{OnceCell, mpsc};
use tracing::warn;

use crate::{
    accounts::password::Passwords,
    audience,
    config::ChatConfig,
    limits::Limits,
    news::{Affected, Change, Gone, News, Tell, Told},
    refusal::Refusal,
    uploads::Uploads,
    view::{MessageView, PersonView},
};

/// The room that is always there, and to which everybody comes first.
const LOBBY: &str = "lobby";
/// What waits to be told, of each kind. Who makes more waits.
const TELLS: usize = 1024;

/// What sockets and HTTP share of the chat.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) config: ChatConfig,
    pub(crate) limits: Limits,
    pub(crate) passwords: Passwords,
    pub(crate) uploads: Uploads,
    namespace: NamespaceName,
    io: OnceLock<Io>,
    lobby: OnceCell<RoomId>,
    tells: mpsc::Sender<Tell>,
    changes: mpsc::Sender<Change>,
}

impl Service {
    /// With what is to be told, for the tasks that do it.
    pub(crate) fn new(store: Store, config: ChatConfig, namespace: NamespaceName) -> (Arc<Self>, Told) {
        let (tells, handlers) = mpsc::channel(TELLS);
        let (changes, members) = mpsc::channel(TELLS);
        let limits = Limits::new(&config);
        let store = store.with_limits(limits.of_messages());
        let service = Self {
            limits,
            passwords: Passwords::new(),
            uploads: Uploads::new(),
            store,
            config,
            namespace,
            io: OnceLock::new(),
            lobby: OnceCell::new(),
            tells,
            changes,
        };
        (Arc::new(service), Told { handlers, members })
    }

    /// The server on which the chat runs, from now on.
    pub(crate) fn start(&self, io: Io) {
        // One server per chat: a second call changes nothing.
        self.io.get_or_init(|| io);
    }

    pub(crate) fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    /// The room that is always there.
    pub(crate) async fn lobby(&self) -> Result<RoomId, StoreError> {
        let make = || async {
            let name = RoomName::new(LOBBY).map_err(|error| StoreError::Invalid(error.to_string()))?;
            Ok(self.store.ensure_room(&name).await?.id)
        };
        self.lobby.get_or_try_init(make).await.copied()
    }

    /// Has the handlers of all sockets in an audience told.
    pub(crate) async fn tell(&self, to: Audience, news: News) {
        if self.tells.send(Tell { to, news }).await.is_err() {
            warn!("the chat has stopped: notification dropped");
        }
    }

    /// Something is different about this room for this person: the person's sockets come into it, or leave it.
    pub(crate) async fn tell_room(&self, person: PersonId, room: RoomId, gone: Option<Gone>) {
        self.tell(audience::of_person(person), News::Room { room, gone })
            .await;
    }

    /// Has the room told that somebody came, went or has another role.
    pub(crate) async fn tell_member(&self, room: RoomId, id: PersonId, view: PersonView) {
        let whose = Affected { id, view };
        if self.changes.send(Change { room, whose }).await.is_err() {
            warn!(%room, "the chat has stopped: its members are not told who has changed");
        }
    }

    /// Emits an event to the clients of an audience.
    pub(crate) async fn emit<T: Serialize + ?Sized>(&self, to: &Audience, name: &str, args: &T) {
        let Some(io) = self.io.get() else {
            return warn!(event = name, "the chat has not started: event dropped");
        };
        if let Err(error) = io.emit(&self.namespace, Some(to), name, args).await {
            warn!(event = name, %error, "cannot send an event");
        }
    }

    /// What somebody may do in a room.
    pub(crate) async fn role(&self, room: RoomId, person: PersonId) -> Result<Role, Refusal> {
        match self.store.standing(room, person).await? {
            Some(Standing::In(role)) => Ok(role),
            _ => Err(Refusal::forbidden("You are not in this room; join it first.")),
        }
    }

    /// For what owners and moderators may do.
    pub(crate) async fn moderates(&self, room: RoomId, person: PersonId) -> Result<Role, Refusal> {
        match self.role(room, person).await? {
            Role::Member => Err(Refusal::forbidden(
                "Only the owner and moderators of the room can do this.",
            )),
            role => Ok(role),
        }
    }

    /// Whoever has this name.
    pub(crate) async fn somebody(&self, name: &str) -> Result<Person, Refusal> {
        let name = crate::request::person_name(name)?;
        let person = self.store.person_by_name(&name).await?;
        person.ok_or_else(|| Refusal::new(crate::refusal::Code::NotFound, "There is nobody of this name."))
    }

    /// Says in a room what has happened to it. That it has happened is done already, so a failure is only logged.
    pub(crate) async fn notice(&self, room: RoomId, text: String) {
        let message = NewMessage {
            room,
            author: Author::Server,
            client_id: ClientId::random(),
            kind: MessageKind::Notice,
            text,
            reply_to: None,
            attachments: Vec::new(),
        };
        let stored = async {
            let appended = self.store.append(message).await?;
            self.store.message(room, appended.number).await
        };
        match stored.await {
            Ok(message) => self.publish(message.into()).await,
            Err(error) => warn!(%room, %error, "a notice could not be delivered"),
        }
    }

    /// Tells a room what was said in it.
    pub(crate) async fn publish(&self, message: MessageView) {
        let room = audience::of_room(message.room);
        self.emit(&room, "message", &message).await;
    }

    /// Tells a room that a message of it has changed.
    pub(crate) async fn publish_change(&self, message: Message) -> MessageView {
        let room = audience::of_room(message.room);
        let view = MessageView::from(message);
        self.emit(&room, "message.changed", &view).await;
        view
    }

    /// The last number that JavaScript can tell apart bounds what is asked for; the store does the rest.
    pub(crate) async fn page(
        &self,
        room: RoomId,
        span: hither_store::Span,
        limit: Option<u32>,
    ) -> Result<crate::view::PageView, Refusal> {
        let limit = match limit {
            None => PAGE,
            Some(limit @ 1..=PAGE) => limit,
            Some(_) => return Err(Refusal::bad(format!("limit is 1 to {PAGE}."))),
        };
        Ok(self.store.history(room, span, limit).await?.into())
    }
}

/// Messages that one answer brings.
pub(crate) const PAGE: u32 = 50;

/// Which messages are asked for by at most one of these.
pub(crate) fn span(
    before: Option<Number>,
    after: Option<Number>,
    around: Option<Number>,
    date: Option<hither_store::Timestamp>,
) -> Result<hither_store::Span, Refusal> {
    use hither_store::Span;
    match (before, after, around, date) {
        (None, None, None, None) => Ok(Span::Newest),
        (Some(number), None, None, None) => Ok(Span::Before(number)),
        (None, Some(number), None, None) => Ok(Span::After(number)),
        (None, None, Some(number), None) => Ok(Span::Around(number)),
        (None, None, None, Some(time)) => Ok(Span::Since(time)),
        _ => Err(Refusal::bad(
            "Give at most one of \"before\", \"after\", \"around\" and \"date\".",
        )),
    }
}
