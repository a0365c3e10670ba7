//! Where a client stands in each of its namespaces.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::config::ConnectionConfig;
use super::output::OutOfTurn;
use crate::encode::Encoded;
use crate::ids::{AckId, SocketId};
use crate::json::Json;
use crate::namespace::NamespaceName;

/// The namespaces a client has to do with: few, so that a list is the smallest and fastest map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Namespaces(Vec<(NamespaceName, Presence)>);

/// Where the client stands in one namespace. One it has nothing to do with is not in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Presence {
    /// It has asked to be connected. Boxed, because it does not last.
    Asked(Box<Request>),
    /// It is connected.
    Connected(Socket),
    /// The server disconnected it, of which it may not have heard yet.
    Dismissed,
}

/// A [`Presence`] as others are told: without what was emitted early, for a handler that begins anew emits it anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Standing {
    Asked { auth: Option<Json>, then: Then },
    Connected { socket: SocketId, auth: AuthDigest },
    Dismissed,
}

/// A CONNECT that the application has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    /// The client's auth payload, should the application have to be asked again.
    auth: Option<Json>,
    early: Early,
    then: Then,
}

impl Request {
    fn new(auth: Option<Json>) -> Request {
        Request {
            auth,
            early: Early::default(),
            then: Then::Answer,
        }
    }
}

/// What the application's answer to a CONNECT leads to: its client may have had second thoughts meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Then {
    /// The client is told.
    Answer,
    /// The client has left.
    Leave,
    /// The client has left, and wants to be connected with this auth payload.
    AskAgain(Option<Json>),
}

/// Tells auth payloads apart, without keeping their secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuthDigest(u64);

impl AuthDigest {
    fn of(auth: Option<&Json>) -> AuthDigest {
        let mut hasher = DefaultHasher::new();
        auth.hash(&mut hasher);
        AuthDigest(hasher.finish())
    }
}

/// What the application has emitted before its answer, which must reach the client first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Early {
    emitted: Vec<Encoded>,
    bytes: usize,
    awaited: BTreeSet<AckId>,
}

/// A connected socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Socket {
    pub(super) id: SocketId,
    /// With what it was connected.
    auth: AuthDigest,
    /// Emits that the client has not answered yet.
    pub(super) awaited: BTreeSet<AckId>,
}

/// What becomes of a CONNECT.
pub(super) enum Admission {
    /// The application is to be asked.
    Asked(NamespaceName),
    /// The application has been asked, and its answer will do.
    Pending,
    /// The client is connected already, with the same auth payload: its answer was on the way, or got lost to it.
    Connected(NamespaceName, SocketId),
    /// The client is connected with another auth payload: that socket goes, and the application is to be asked.
    Replaced(NamespaceName, SocketId),
    /// The client is in too many namespaces.
    Full,
}

/// What becomes of a CONNECT that the application has accepted.
pub(super) enum Accepted {
    /// The client is told, and then what was emitted early.
    Connected(Vec<Encoded>),
    /// The client has left meanwhile.
    Left,
    /// The client has left, and the application is to be asked anew.
    AskedAgain(Option<Json>),
}

/// What becomes of a CONNECT that the application has refused.
pub(super) enum Refused {
    /// The client is told.
    Told,
    /// The client has left meanwhile.
    Left,
    /// The client has left, and the application is to be asked anew.
    AskedAgain(Option<Json>),
}

/// Whom a packet for a namespace concerns.
pub(super) enum Whereabouts<'a> {
    Connected {
        namespace: &'a NamespaceName,
        socket: &'a mut Socket,
    },
    /// Nobody: what the client still says there is to be ignored.
    Nobody,
}

/// No CONNECT waits for an answer: it was given already, or the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client waits for no answer to connect to this namespace")]
pub struct NotConnecting;

/// The client is not connected to the namespace, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client is not connected to this namespace")]
pub struct NotConnected;

/// Why an event was not emitted. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The client is not connected to the namespace, nor does it wait to be.
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    /// Too many bytes wait for the client to be accepted ([`ConnectionConfig::max_early_bytes`]): accept it first.
    #[error("too much was emitted before the client is accepted")]
    TooEarly,
    /// Too many emits wait for their ack ([`ConnectionConfig::max_awaited_acks`]): the client does not answer.
    #[error("too many emits wait for the client's acks")]
    TooManyAcks,
}

impl Namespaces {
    /// The client asks to be connected, perhaps once more: pages that build themselves up, tear themselves down and build
    /// themselves up again do so in one breath.
    pub(super) fn ask(&mut self, namespace: &NamespaceName, auth: Option<Json>, max: usize) -> Admission {
        let asked = |auth| Presence::Asked(Box::new(Request::new(auth)));
        match self.position(namespace) {
            Some(at) => {
                let (namespace, presence) = &mut self.0[at];
                match presence {
                    Presence::Asked(request) => {
                        request.then = if request.auth == auth {
                            Then::Answer
                        } else {
                            Then::AskAgain(auth)
                        };
                        Admission::Pending
                    }
                    Presence::Connected(socket) if socket.auth == AuthDigest::of(auth.as_ref()) => {
                        Admission::Connected(namespace.clone(), socket.id.clone())
                    }
                    Presence::Connected(socket) => {
                        let left = socket.id.clone();
                        *presence = asked(auth);
                        Admission::Replaced(namespace.clone(), left)
                    }
                    Presence::Dismissed => {
                        *presence = asked(auth);
                        Admission::Asked(namespace.clone())
                    }
                }
            }
            None if self.0.len() >= max && !self.forget_dismissed() => Admission::Full,
            None => {
                let namespace = namespace.detached();
                // Most clients are in one namespace: no room for more until there are more.
                self.0.reserve_exact(1);
                self.0.push((namespace.clone(), asked(auth)));
                Admission::Asked(namespace)
            }
        }
    }

    /// Begins anew with what is not answered yet, of those clients that still want it: gives the requests, and drops what was
    /// emitted early, as who answers them will emit it again.
    pub(super) fn ask_again(&mut self) -> impl Iterator<Item = (NamespaceName, Option<Json>)> {
        self.0.retain(
            |(_, presence)| !matches!(presence, Presence::Asked(request) if request.then == Then::Leave),
        );
        self.0
            .iter_mut()
            .filter_map(|(namespace, presence)| match presence {
                Presence::Asked(request) => {
                    let auth = match std::mem::replace(&mut request.then, Then::Answer) {
                        Then::AskAgain(auth) => auth,
                        Then::Answer | Then::Leave => request.auth.take(),
                    };
                    **request = Request::new(auth.clone());
                    Some((namespace.clone(), auth))
                }
                Presence::Connected(_) | Presence::Dismissed => None,
            })
    }

    /// The application accepts.
    pub(super) fn accept(
        &mut self,
        namespace: &NamespaceName,
        socket: SocketId,
    ) -> Result<Accepted, NotConnecting> {
        let at = self.asked(namespace)?;
        let presence = &mut self.0[at].1;
        let Presence::Asked(request) = presence else {
            return Err(NotConnecting);
        };
        let Request { auth, early, then } = std::mem::replace(&mut **request, Request::new(None));
        Ok(match then {
            Then::Answer => {
                *presence = Presence::Connected(Socket {
                    id: socket,
                    auth: AuthDigest::of(auth.as_ref()),
                    awaited: early.awaited,
                });
                Accepted::Connected(early.emitted)
            }
            Then::Leave => {
                self.0.remove(at);
                Accepted::Left
            }
            Then::AskAgain(auth) => {
                request.auth.clone_from(&auth);
                Accepted::AskedAgain(auth)
            }
        })
    }

    /// The application refuses.
    pub(super) fn refuse(&mut self, namespace: &NamespaceName) -> Result<Refused, NotConnecting> {
        let at = self.asked(namespace)?;
        let Presence::Asked(request) = &mut self.0[at].1 else {
            return Err(NotConnecting);
        };
        let refused = match std::mem::replace(&mut request.then, Then::Answer) {
            Then::Answer => Refused::Told,
            Then::Leave => Refused::Left,
            Then::AskAgain(auth) => {
                **request = Request::new(auth.clone());
                return Ok(Refused::AskedAgain(auth));
            }
        };
        self.0.remove(at);
        Ok(refused)
    }

    /// Where a CONNECT waits for its answer.
    fn asked(&self, namespace: &NamespaceName) -> Result<usize, NotConnecting> {
        self.position(namespace)
            .filter(|at| matches!(self.0[*at].1, Presence::Asked(_)))
            .ok_or(NotConnecting)
    }

    /// The client leaves: gives the socket that it had, unless the server was faster or has not answered yet.
    pub(super) fn leave(
        &mut self,
        namespace: &NamespaceName,
    ) -> Result<Option<(NamespaceName, SocketId)>, OutOfTurn> {
        if let Some(Presence::Asked(request)) = self.presence_mut(namespace) {
            request.then = Then::Leave;
            return Ok(None);
        }
        match self.find(namespace)? {
            Whereabouts::Nobody => Ok(None),
            Whereabouts::Connected { namespace, socket } => {
                let left = (namespace.clone(), socket.id.clone());
                self.0.retain(|(namespace, _)| *namespace != left.0);
                Ok(Some(left))
            }
        }
    }

    /// The server disconnects the client: gives the socket that it had.
    pub(super) fn dismiss(&mut self, namespace: &NamespaceName) -> Result<SocketId, NotConnected> {
        let presence = self.presence_mut(namespace).ok_or(NotConnected)?;
        let Presence::Connected(Socket { id, .. }) = presence else {
            return Err(NotConnected);
        };
        let id = id.clone();
        *presence = Presence::Dismissed;
        Ok(id)
    }

    /// The server disconnects the client everywhere: gives the sockets that it had.
    pub(super) fn dismiss_all(&mut self) -> impl Iterator<Item = (NamespaceName, SocketId)> {
        self.0.iter_mut().filter_map(|(namespace, presence)| {
            let Presence::Connected(Socket { id, .. }) = presence else {
                return None;
            };
            let dismissed = (namespace.clone(), id.clone());
            *presence = Presence::Dismissed;
            Some(dismissed)
        })
    }

    /// Whom a packet other than CONNECT concerns.
    pub(super) fn find(&mut self, namespace: &NamespaceName) -> Result<Whereabouts<'_>, OutOfTurn> {
        let at = self
            .position(namespace)
            .ok_or_else(|| OutOfTurn::NotConnected(namespace.detached()))?;
        match &mut self.0[at] {
            (namespace, Presence::Connected(socket)) => Ok(Whereabouts::Connected { namespace, socket }),
            (_, Presence::Dismissed) => Ok(Whereabouts::Nobody),
            (namespace, Presence::Asked(request)) if request.then == Then::Answer => {
                Err(OutOfTurn::NotConnected(namespace.clone()))
            }
            // What it says to the socket that it has left.
            (_, Presence::Asked(_)) => Ok(Whereabouts::Nobody),
        }
    }

    /// Emits: gives back what is to be sent now, and keeps what is early.
    pub(super) fn emit(
        &mut self,
        namespace: &NamespaceName,
        event: Encoded,
        config: &ConnectionConfig,
    ) -> Result<Option<Encoded>, EmitError> {
        match self.presence_mut(namespace) {
            Some(Presence::Connected(_)) => Ok(Some(event)),
            Some(Presence::Asked(request)) => request.early.push(event, config).map(|()| None),
            Some(Presence::Dismissed) | None => Err(EmitError::NotConnected(NotConnected)),
        }
    }

    /// Emits, and notes that an answer is wanted.
    pub(super) fn emit_with_ack(
        &mut self,
        namespace: &NamespaceName,
        id: AckId,
        event: Encoded,
        config: &ConnectionConfig,
    ) -> Result<Option<Encoded>, EmitError> {
        let awaited = self.awaited_mut(namespace).ok_or(NotConnected)?;
        if awaited.len() >= config.max_awaited_acks {
            return Err(EmitError::TooManyAcks);
        }
        let event = self.emit(namespace, event, config)?;
        if let Some(awaited) = self.awaited_mut(namespace) {
            awaited.insert(id);
        }
        Ok(event)
    }

    /// No longer waits for an answer. Says whether it was waited for.
    pub(super) fn forget_ack(&mut self, namespace: &NamespaceName, id: AckId) -> bool {
        self.awaited_mut(namespace)
            .is_some_and(|awaited| awaited.remove(&id))
    }

    pub(super) fn socket(&self, namespace: &NamespaceName) -> Option<&SocketId> {
        self.sockets()
            .find(|(connected, _)| *connected == namespace)
            .map(|(_, socket)| socket)
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = (&NamespaceName, &SocketId)> {
        self.0.iter().filter_map(|(namespace, presence)| match presence {
            Presence::Connected(socket) => Some((namespace, &socket.id)),
            Presence::Asked(_) | Presence::Dismissed => None,
        })
    }

    pub(super) fn into_sockets(self) -> impl Iterator<Item = (NamespaceName, SocketId)> {
        self.0
            .into_iter()
            .filter_map(|(namespace, presence)| match presence {
                Presence::Connected(socket) => Some((namespace, socket.id)),
                Presence::Asked(_) | Presence::Dismissed => None,
            })
    }

    /// Where the client stands in each namespace.
    pub(super) fn standings(&self) -> impl Iterator<Item = (NamespaceName, Standing)> {
        self.0.iter().map(|(namespace, presence)| {
            let standing = match presence {
                Presence::Asked(request) => Standing::Asked {
                    auth: request.auth.clone(),
                    then: request.then.clone(),
                },
                Presence::Connected(socket) => Standing::Connected {
                    socket: socket.id.clone(),
                    auth: socket.auth,
                },
                Presence::Dismissed => Standing::Dismissed,
            };
            (namespace.clone(), standing)
        })
    }

    /// Takes over where the client stands in some of them.
    pub(super) fn update(&mut self, gone: &[NamespaceName], changed: Vec<(NamespaceName, Standing)>) {
        self.0.retain(|(namespace, _)| !gone.contains(namespace));
        for (namespace, standing) in changed {
            let presence = match standing {
                Standing::Asked { auth, then } => Presence::Asked(Box::new(Request {
                    then,
                    ..Request::new(auth)
                })),
                Standing::Connected { socket: id, auth } => Presence::Connected(Socket {
                    id,
                    auth,
                    awaited: BTreeSet::new(),
                }),
                Standing::Dismissed => Presence::Dismissed,
            };
            match self.presence_mut(&namespace) {
                Some(known) => *known = presence,
                None => self.0.push((namespace, presence)),
            }
        }
    }

    /// Bytes of auth payloads that wait to be put to the application.
    pub(super) fn waiting_bytes(&self) -> usize {
        let waiting = self.0.iter().filter_map(|(_, presence)| match presence {
            Presence::Asked(request) => match &request.then {
                Then::AskAgain(auth) => auth.as_ref(),
                Then::Answer | Then::Leave => None,
            },
            Presence::Connected(_) | Presence::Dismissed => None,
        });
        waiting.map(|auth| auth.as_str().len()).sum()
    }

    /// An answer to this is awaited.
    pub(super) fn expect_ack(&mut self, namespace: &NamespaceName, id: AckId) {
        if let Some(awaited) = self.awaited_mut(namespace) {
            awaited.insert(id);
        }
    }

    fn position(&self, namespace: &NamespaceName) -> Option<usize> {
        self.0.iter().position(|(name, _)| name == namespace)
    }

    fn presence_mut(&mut self, namespace: &NamespaceName) -> Option<&mut Presence> {
        self.0
            .iter_mut()
            .find(|(name, _)| name == namespace)
            .map(|(_, presence)| presence)
    }

    fn awaited_mut(&mut self, namespace: &NamespaceName) -> Option<&mut BTreeSet<AckId>> {
        match self.presence_mut(namespace)? {
            Presence::Asked(request) => Some(&mut request.early.awaited),
            Presence::Connected(socket) => Some(&mut socket.awaited),
            Presence::Dismissed => None,
        }
    }

    /// Makes room by forgetting a namespace in which the client was told long ago, or will soon be, that it is disconnected.
    fn forget_dismissed(&mut self) -> bool {
        let dismissed = self
            .0
            .iter()
            .position(|(_, presence)| *presence == Presence::Dismissed);
        dismissed.map(|at| self.0.remove(at)).is_some()
    }
}

impl Early {
    fn push(&mut self, event: Encoded, config: &ConnectionConfig) -> Result<(), EmitError> {
        let bytes = self.bytes + event.len();
        if bytes > config.max_early_bytes {
            return Err(EmitError::TooEarly);
        }
        self.bytes = bytes;
        self.emitted.push(event);
        Ok(())
    }
}
