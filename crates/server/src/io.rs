//! Speaking to rooms and asking about them, from outside of handlers.

use std::{sync::Arc, time::Duration};

use hither_cluster::{Cluster, Key, Marks, NodeId, NodeName, Placement, Position, RequestError};
use hither_socketio::{Event, EventError, NamespaceName, RecoveryId, SocketId};
use serde::Serialize;
use tokio::sync::watch;
use tracing::info;

use crate::{
    census::{Census, MemberCensus},
    config::ClientLimits,
    presence::Presence,
    request::{SessionReply, SessionRequest},
    room::{Room, topic},
    sessions::{Direct, Found, Holder, LaneEvent, Queries, Query, QueryId, Question, Sessions, Shared},
    socket::publications,
    status::MemberStatus,
};

/// How long all nodes together may take to answer.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// What becomes of nodes that have no link when something is asked of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unlinked {
    /// They count as silent, if they do not leave before the time is over.
    Awaited,
    /// They count as silent at once.
    PassedOver,
}

/// Whether all nodes have been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    Complete,
    Partial,
}
/// Sessions that one lane names in a census.
const SIGHTS_PER_LANE: usize = 256;

/// The whole server, all nodes of it: for tasks of the application that are no handlers. Cheap to clone.
#[derive(Clone)]
pub struct Io {
    cluster: Cluster<Sessions>,
    shared: Arc<Shared>,
}

/// Some nodes did not answer.
#[derive(Debug, thiserror::Error)]
#[error("these nodes did not answer in time: {}", silent.join(", "))]
pub struct QueryError {
    /// The names of the nodes that did not answer.
    pub silent: Vec<String>,
}

/// Something could not be said to handlers everywhere.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// It cannot be encoded.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Some nodes may not have heard it.
    #[error(transparent)]
    Silent(#[from] QueryError),
}

/// Gives a query up when nobody waits for its answer any more.
struct Abandon<'a> {
    queries: &'a Queries,
    id: QueryId,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.queries.abandon(self.id);
    }
}

impl Io {
    pub(crate) fn new(cluster: Cluster<Sessions>, shared: Arc<Shared>) -> Self {
        Self { cluster, shared }
    }

    /// Whether a node of this cluster has minted this session id.
    pub(crate) fn has_minted(&self, sid: &Key) -> bool {
        self.shared.ids.has_minted(sid.as_str())
    }

    /// This node.
    pub fn node(&self) -> &NodeName {
        &self.cluster.me().name
    }

    /// The members of the cluster, and which of them owns which shard, as that changes.
    pub fn placements(&self) -> watch::Receiver<Arc<Placement>> {
        self.cluster.placements()
    }

    /// Who is in which room, as persons.
    pub fn presence(&self) -> Presence {
        Presence::new(self.shared.presence.clone())
    }

    /// Emits an event to everybody in a room of a namespace, on all nodes; without a room to the whole namespace.
    ///
    /// Waits while this node has much to hand round already, so that a busy task cannot fill its memory.
    ///
    /// # Errors
    /// When the name is reserved or the arguments cannot be sent.
    pub async fn emit<T: Serialize + ?Sized>(
        &self,
        namespace: &NamespaceName,
        room: Option<&Room>,
        name: &str,
        args: &T,
    ) -> Result<(), EventError> {
        let event = Event::new(name, args)?;
        let rooms: Vec<Room> = room.into_iter().cloned().collect();
        self.cluster.uncongested().await;
        // The semaphore is never closed.
        let permit = self
            .shared
            .publications
            .clone()
            .acquire_owned()
            .await
            .ok()
            .map(Arc::new);
        for (room, event) in publications(namespace.clone(), &rooms, Vec::new(), Vec::new(), &event) {
            self.cluster.publish(topic(namespace, room.as_ref()), event);
        }
        for lane in self.cluster.lanes() {
            lane.send(LaneEvent::Passed {
                _permit: permit.clone(),
            });
        }
        Ok(())
    }

    /// Says something to the handlers of all sockets in a room, on all nodes: [`Namespace::told`](crate::Namespace::told) is
    /// called for each. Clients hear nothing of it. So one handler has others join rooms, leave them or disconnect.
    ///
    /// Done when every node has said that its handlers are called. Said again after an error, it comes twice to some. A
    /// socket that changes its node meanwhile may miss it: its [`relocated`](crate::Namespace::relocated) is called then.
    ///
    /// # Errors
    /// When a node does not answer in time, or what is said cannot be encoded.
    pub async fn tell<T: Serialize + ?Sized>(
        &self,
        namespace: &NamespaceName,
        room: &Room,
        name: &str,
        args: &T,
    ) -> Result<(), TellError> {
        let event = Event::new(name, args)?;
        self.ask_all(Question::Tell(topic(namespace, Some(room)), event))
            .await?;
        Ok(())
    }

    /// Emits an event to those in a room whose sessions this node owns; without a room to those in the namespace. Clients
    /// that are away do not hear it when they are back.
    ///
    /// # Errors
    /// When the name is reserved or the arguments cannot be sent.
    pub fn emit_here<T: Serialize + ?Sized>(
        &self,
        namespace: &NamespaceName,
        room: Option<&Room>,
        name: &str,
        args: &T,
    ) -> Result<(), EventError> {
        let event = Event::new(name, args)?;
        let rooms: Vec<Room> = room.into_iter().cloned().collect();
        for (_, event) in publications(namespace.clone(), &rooms, Vec::new(), Vec::new(), &event) {
            let event = Arc::new(event);
            for lane in self.cluster.lanes() {
                let topic = topic(namespace, room);
                lane.send(LaneEvent::LocalEvent {
                    topic,
                    event: event.clone(),
                });
            }
        }
        Ok(())
    }

    /// Emits an event to those in a room, on all nodes, that is worth something now or never: it is not kept for clients
    /// that are away or whose session moves, and dropped for those who are behind with what they are sent.
    ///
    /// # Errors
    /// When the name is reserved or the arguments cannot be sent.
    pub fn emit_volatile<T: Serialize + ?Sized>(
        &self,
        namespace: &NamespaceName,
        room: &Room,
        except: &[SocketId],
        name: &str,
        args: &T,
    ) -> Result<(), EventError> {
        let event = Event::new(name, args)?;
        let rooms = [room.clone()];
        for (_, event) in publications(namespace.clone(), &rooms, except.to_vec(), Vec::new(), &event) {
            for member in self.cluster.placement().view().members.values() {
                // Who has no link hears nothing of it.
                self.cluster.send(
                    &member.id,
                    Direct::Volatile(topic(namespace, Some(room)), event.clone()),
                );
            }
        }
        Ok(())
    }

    /// The members of the cluster, what they count, and up to `limit` of their sessions. Who does not answer within
    /// `patience` is not waited for.
    ///
    /// Asks every lane of every node, and each looks through all of its sessions if there are any to name: for a few times
    /// a second while somebody watches.
    pub async fn census(&self, limit: usize, patience: Duration) -> Census {
        let question = Question::Lives {
            limit: limit.min(SIGHTS_PER_LANE),
        };
        let (Found { mut sights, .. }, _) = self.ask(question, patience, Unlinked::Awaited).await;
        let counted = |member: MemberStatus| MemberCensus {
            sessions: member
                .name
                .parse()
                .ok()
                .and_then(|name: NodeName| sights.nodes.remove(&name)),
            member,
        };
        let members = MemberStatus::all(&self.cluster.placement());
        Census {
            members: members.into_iter().map(counted).collect(),
            sessions: sights.sample(limit),
        }
    }

    /// What a client may ask for.
    pub(crate) fn client_limits(&self) -> &ClientLimits {
        &self.shared.config.client_limits
    }

    /// The placement under which every session is where it belongs, if they are.
    pub(crate) fn settled(&self) -> Option<u64> {
        self.cluster.settled()
    }

    /// The session that has a socket, whichever node owns it, and whether all nodes have been heard. Nodes that cannot be
    /// reached at present are not waited for.
    pub(crate) async fn holder_of(&self, recovery: &RecoveryId) -> (Option<Key>, Hearing) {
        let question = Question::Holds(vec![recovery.clone()]);
        let (found, silent) = self.ask(question, QUERY_TIMEOUT, Unlinked::PassedOver).await;
        let hearing = if silent.is_empty() {
            Hearing::Complete
        } else {
            Hearing::Partial
        };
        (
            Holder::rightful(found.holders).map(|holder| holder.session),
            hearing,
        )
    }

    /// The sessions of which those nodes that answer in time say that they have the sockets in question.
    pub(crate) async fn holders(&self, question: Question) -> Vec<Holder> {
        let (found, silent) = self.ask(question, QUERY_TIMEOUT, Unlinked::Awaited).await;
        if !silent.is_empty() {
            info!(?silent, "nodes did not answer where a socket is");
        }
        found.holders
    }

    /// The marks that a position in some lane's log stands for; none if no node knows that log any more.
    pub(crate) async fn marks_at(&self, position: Position) -> Option<Marks> {
        let (found, _) = self
            .ask(Question::Marks(position), QUERY_TIMEOUT, Unlinked::PassedOver)
            .await;
        found.marks
    }

    /// Asks a session, wherever it lives.
    pub(crate) async fn request(
        &self,
        session: &Key,
        request: SessionRequest,
        timeout: Duration,
    ) -> Result<SessionReply, RequestError> {
        self.cluster.request(session, request, timeout).await
    }

    /// What all nodes together find.
    async fn ask_all(&self, question: Question) -> Result<Found, QueryError> {
        let (found, silent) = self.ask(question, QUERY_TIMEOUT, Unlinked::Awaited).await;
        if silent.is_empty() {
            return Ok(found);
        }
        Err(QueryError {
            silent: silent.iter().map(ToString::to_string).collect(),
        })
    }

    /// What the nodes find within `patience`, and those that have not answered by then.
    async fn ask(&self, question: Question, patience: Duration, unlinked: Unlinked) -> (Found, Vec<NodeId>) {
        let placement = self.cluster.placement();
        let nodes: Vec<_> = placement
            .view()
            .members
            .values()
            .map(|member| member.id.clone())
            .collect();
        let (id, found) = self.shared.queries.begin(nodes.iter().cloned());
        let _abandoned = Abandon {
            queries: &self.shared.queries,
            id,
        };
        let mut passed_over = Vec::new();
        for node in nodes {
            let query = Query {
                id,
                question: question.clone(),
            };
            if !self.cluster.send(&node, Direct::Query(query)) && unlinked == Unlinked::PassedOver {
                passed_over.push(node);
            }
        }
        self.shared.queries.pass_over(id, &passed_over);
        let (found, mut silent) = match tokio::time::timeout(patience, found).await {
            Ok(Ok(found)) => (found, Vec::new()),
            _ => self.shared.queries.abandon(id),
        };
        silent.extend(passed_over);
        (found, silent)
    }
}
