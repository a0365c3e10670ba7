//! The namespace of the chat.

use std::sync::Arc;

use axum::Router;
use bytestring::ByteString;
use hither::{
    ConnectError, EmitError, Event, Io, Json, Namespace, NamespaceName, Person, PersonKey, Received, Room,
    Socket,
};
use hither_store::{Membership, RoomId, Store, StoreError};
use serde::Serialize;
use tracing::{error, warn};

use crate::{
    NAMESPACE,
    accounts::{LoginId, cookie},
    actor::Actor,
    audience,
    config::ChatConfig,
    http,
    limits::Kind,
    news::{LoginEnd, News, Told},
    participant::{Participant, log_unsent, sign_out},
    refusal::{Code, Failure, Refusal},
    request::{InRoom, PresenceList, Request},
    service::Service,
    socket_rooms::enter,
    tasks::ChatTasks,
    uploads::MAX_ATTACHMENTS,
    view::{InvitationView, MembershipView, PersonView},
};

/// Persons that one answer lists.
const PERSONS: usize = 200;

/// The namespace to mount at [`NAMESPACE`].
#[derive(Clone)]
pub struct Chat(pub(crate) Arc<Service>);

impl Chat {
    /// A chat on a store, and what it has to do once its server runs.
    ///
    /// # Panics
    /// Never: the name of its namespace is one.
    pub fn new(config: ChatConfig, store: Store) -> (Self, ChatStart) {
        #[expect(
            clippy::expect_used,
            reason = "a constant that begins with a slash and holds no comma"
        )]
        let namespace = NamespaceName::new(NAMESPACE).expect("a valid name");
        let (service, told) = Service::new(store, config, namespace);
        (Self(service.clone()), ChatStart { service, told })
    }

    /// What is served over HTTP: accounts, files, the API for programs, webhooks.
    pub fn routes(&self) -> Router {
        http::routes(self.0.clone())
    }
}

/// What a chat does by itself on a node, not begun yet.
#[must_use = "until it is started, the chat tells nobody anything"]
pub struct ChatStart {
    service: Arc<Service>,
    told: Told,
}

impl ChatStart {
    /// Begins, on the server where the chat is mounted at [`NAMESPACE`].
    pub fn start(self, io: Io) -> ChatTasks {
        self.service.start(io.clone());
        ChatTasks::start(io, self.service, self.told)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    message_bytes: usize,
    rooms: usize,
    upload_bytes: usize,
    attachments: usize,
}

#[derive(Serialize)]
struct Welcome<'a> {
    person: PersonView,
    rooms: &'a [MembershipView],
    invitations: Vec<InvitationView>,
    limits: Limits,
}

/// The answer to every request: `{ok: true, …}` or `{ok: false, error}`.
#[derive(Serialize)]
struct Accepted<T> {
    ok: bool,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Refused<'a> {
    ok: bool,
    error: &'a Refusal,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Present {
    persons: Vec<PersonView>,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<PersonKey>,
}

#[derive(Serialize)]
struct Typing<'a> {
    room: RoomId,
    name: &'a str,
}

impl Namespace for Chat {
    type Data = Participant;

    async fn connect(&self, socket: &mut Socket<()>, _: Option<Json>) -> Result<Participant, ConnectError> {
        match self.welcome(socket).await {
            Ok(participant) => Ok(participant),
            Err(Failure::Refused(refusal)) => Err(connect_error(&refusal)),
            Err(Failure::Unsent(error)) => {
                warn!(socket = %socket.id(), %error, "cannot greet a client");
                Err(connect_error(&Refusal::unavailable(
                    std::time::Duration::from_secs(1),
                )))
            }
        }
    }

    async fn event(&self, socket: &mut Socket<Participant>, received: Received) {
        if let Err(failure) = self.serve(socket, &received).await {
            let refusal = match failure {
                Failure::Refused(refusal) => refusal,
                Failure::Unsent(error) => {
                    warn!(socket = %socket.id(), event = %received.event.name, %error, "cannot send an answer");
                    Refusal::new(Code::TooLarge, "The answer is too large.")
                }
            };
            let refused = Refused {
                ok: false,
                error: &refusal,
            };
            if let Err(error) = socket.ack(received.ack, &refused) {
                warn!(socket = %socket.id(), %error, "a refusal cannot be sent");
            }
        }
    }

    async fn told(&self, socket: &mut Socket<Participant>, event: Event) {
        let done = match event.args.parse_first::<News>() {
            Ok(News::Room { room, gone }) => self.0.compare_room(socket, room, gone).await,
            Ok(News::LoginEnded { reason }) => sign_out(socket, reason),
            Ok(News::Renamed { name }) => {
                socket.data.actor.name = name;
                let view = socket.data.actor.view();
                identify(socket, &view, &socket.data.actor.clone())
                    .and_then(|()| socket.emit("person", &view))
            }
            Err(error) => {
                error!(%error, "what a socket was told cannot be read: do all nodes run the same version?");
                Ok(())
            }
        };
        log_unsent(socket, done);
    }

    async fn recovered(&self, socket: &mut Socket<Participant>, _: bool) {
        self.0.compare(socket).await;
    }

    const FOLLOWS_WHEREABOUTS: bool = true;

    async fn relocated(&self, socket: &mut Socket<Participant>) {
        let told = tell_placement(socket);
        log_unsent(socket, told);
        // What was told while the session moved may have missed it.
        if socket.data.owner != socket.whereabouts().owner.as_str() {
            self.0.compare(socket).await;
        }
    }

    /// The chat's rooms, not those of a person or a login.
    fn is_listed(room: &Room) -> bool {
        audience::chat_room(room).is_some()
    }
}

impl Chat {
    async fn welcome(&self, socket: &mut Socket<()>) -> Result<Participant, Failure> {
        let service = &self.0;
        let cookies = socket.handshake().header("cookie");
        let secret = cookies
            .and_then(cookie::read)
            .ok_or_else(Refusal::not_signed_in)?;
        let login = secret.hash();
        let (_, person) = service
            .store
            .use_login(&login)
            .await?
            .ok_or_else(Refusal::not_signed_in)?;
        let actor = Actor::from(person);
        let memberships = self.rooms_of(&actor).await?;
        let invitations = service.store.invitations(actor.id).await?;

        let view = actor.view();
        identify(socket, &view, &actor)?;
        socket.join(audience::of_login(&login))?;
        socket.join(audience::of_person(actor.id))?;
        for membership in &memberships {
            socket.join(audience::of_room(membership.room.id))?;
        }
        let rooms: Vec<MembershipView> = memberships.into_iter().map(MembershipView::from).collect();
        socket.emit(
            "welcome",
            &Welcome {
                person: view,
                rooms: &rooms,
                invitations: invitations.into_iter().map(InvitationView::from).collect(),
                limits: Limits {
                    message_bytes: service.config.max_message_bytes,
                    rooms: service.config.max_rooms,
                    upload_bytes: service.config.max_upload_bytes,
                    attachments: MAX_ATTACHMENTS,
                },
            },
        )?;
        tell_placement(socket)?;
        let owner = socket.whereabouts().owner.as_str().to_owned();
        Ok(Participant::new(actor, LoginId(login), owner))
    }

    /// The rooms of a person; the lobby if there would be none.
    async fn rooms_of(&self, actor: &Actor) -> Result<Vec<Membership>, StoreError> {
        let service = &self.0;
        let memberships = service.store.memberships(actor.id).await?;
        if !memberships.is_empty() {
            return Ok(memberships);
        }
        let lobby = service.lobby().await?;
        match service.store.join(lobby, actor.id).await {
            Ok(_) => {
                service.tell_member(lobby, actor.id, actor.view()).await;
            }
            // Another socket of the person was first, or the person may not.
            Err(StoreError::Conflict(_) | StoreError::Denied(_)) => {}
            Err(error) => return Err(error),
        }
        service.store.memberships(actor.id).await
    }

    async fn serve(&self, socket: &mut Socket<Participant>, received: &Received) -> Result<(), Failure> {
        if !socket.data.is_checked() && !self.0.is_signed_in(socket).await? {
            sign_out(socket, LoginEnd::SignedOut)?;
            return Err(Refusal::not_signed_in().into());
        }
        let (service, ack) = (&self.0, received.ack);
        let actor = socket.data.actor.clone();
        macro_rules! answer {
            ($content:expr) => {{
                let content = $content;
                socket.ack(ack, &Accepted { ok: true, content })?
            }};
        }
        match Request::read(&received.event)? {
            Request::MessageSend(send) => answer!(service.send(&actor, send).await?),
            Request::MessageEdit(edit) => answer!(service.edit(&actor, edit).await?),
            Request::MessageDelete(at) => answer!(service.delete(&actor, at).await?),
            Request::MessageReact(react) => answer!(service.react(&actor, react).await?),
            Request::MessageHistory(asked) => answer!(service.history(actor.id, asked).await?),
            Request::MessageChanges(asked) => answer!(service.changes(actor.id, asked).await?),
            Request::MessageSearch(asked) => answer!(service.search(actor.id, asked).await?),
            Request::RoomList(asked) => answer!(service.rooms(&actor, asked).await?),
            Request::RoomMembers(asked) => answer!(service.members(&actor, asked).await?),
            Request::RoomCreate(create) => {
                answer!(enter(socket, service.create(&actor, create).await?).await?)
            }
            Request::RoomJoin(join) => answer!(enter(socket, service.join(&actor, join).await?).await?),
            Request::RoomDirect(with) => answer!(enter(socket, service.direct(&actor, with).await?).await?),
            Request::RoomLeave(leave) => {
                service.leave(&actor, leave).await?;
                answer!(Nothing {});
            }
            Request::RoomInvite(invite) => {
                service.invite(&actor, invite).await?;
                answer!(Nothing {});
            }
            Request::RoomDecline(decline) => {
                service.decline(&actor, decline).await?;
                answer!(Nothing {});
            }
            Request::RoomTopic(topic) => {
                service.topic(&actor, topic).await?;
                answer!(Nothing {});
            }
            Request::RoomRole(role) => {
                service.give_role(&actor, role).await?;
                answer!(Nothing {});
            }
            Request::RoomRemove(remove) => {
                service.remove(&actor, remove).await?;
                answer!(Nothing {});
            }
            Request::RoomBan(ban) => {
                service.ban(&actor, ban).await?;
                answer!(Nothing {});
            }
            Request::RoomUnban(unban) => {
                service.unban(&actor, unban).await?;
                answer!(Nothing {});
            }
            Request::RoomSettings(settings) => {
                service.settings(&actor, settings).await?;
                answer!(Nothing {});
            }
            Request::RoomRead(read) => answer!(service.read(&actor, read).await?),
            Request::PresenceList(asked) => answer!(self.present(socket, asked)?),
            Request::WebhookCreate(make) => answer!(service.create_webhook(&actor, make).await?),
            Request::WebhookList(of) => answer!(service.webhooks(&actor, of).await?),
            Request::WebhookDelete(delete) => {
                service.delete_webhook(&actor, delete).await?;
                answer!(Nothing {});
            }
            Request::Typing(typing) => {
                self.typing(socket, &typing)?;
                answer!(Nothing {});
            }
        }
        Ok(())
    }

    fn present(&self, socket: &Socket<Participant>, asked: PresenceList) -> Result<Present, Refusal> {
        self.0.limits.take(socket.data.actor.id, Kind::Requests)?;
        let room = is_in(socket, asked.room)?;
        let presence = socket.io().presence();
        let page = presence.list(socket.namespace(), &room, asked.after.as_ref(), PERSONS);
        let next = page.persons.last().map(|person| person.key.clone());
        Ok(Present {
            // A card was made by a node of this cluster.
            persons: page
                .persons
                .iter()
                .filter_map(|person| person.card.parse().ok())
                .collect(),
            count: page.count,
            next: next.filter(|_| page.more),
        })
    }

    fn typing(&self, socket: &Socket<Participant>, typing: &InRoom) -> Result<(), Failure> {
        let actor = &socket.data.actor;
        self.0.limits.take(actor.id, Kind::Requests)?;
        let room = is_in(socket, typing.room)?;
        let event = Typing {
            room: typing.room,
            name: actor.name.as_str(),
        };
        let io = socket.io();
        io.emit_volatile(
            socket.namespace(),
            &room,
            &[socket.id().clone()],
            "typing",
            &event,
        )
        .map_err(EmitError::from)?;
        Ok(())
    }
}

/// The room of the library, if the socket is in it.
fn is_in(socket: &Socket<Participant>, room: RoomId) -> Result<Room, Refusal> {
    let room = audience::of_room(room);
    if socket.rooms().contains(&room) {
        Ok(room)
    } else {
        Err(Refusal::forbidden("You are not in this room; join it first."))
    }
}

fn identify<Data>(socket: &mut Socket<Data>, view: &PersonView, actor: &Actor) -> Result<(), EmitError> {
    let card = Json::encode(view)?;
    // An id is short, and never empty.
    match PersonKey::new(ByteString::from(actor.id.to_string())) {
        Ok(key) => socket.identify(Person { key, card }),
        Err(error) => {
            error!(%error, "cannot publish a presence");
            Ok(())
        }
    }
}

fn tell_placement<Data>(socket: &mut Socket<Data>) -> Result<(), EmitError> {
    let whereabouts = socket.whereabouts().clone();
    socket.emit("placement", &whereabouts)
}

fn connect_error(refusal: &Refusal) -> ConnectError {
    let error = ConnectError::new(refusal.message.clone());
    // A refusal can be encoded.
    error.clone().with_data(refusal).unwrap_or(error)
}
