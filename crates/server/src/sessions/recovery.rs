//! Connection state recovery: a client that lost its connection comes back to its socket, through whichever node.
//!
//! The socket waits with its session, still in its rooms, for [`RecoveryConfig::window`](crate::RecoveryConfig). The client
//! reconnects: a new session, anywhere, that claims the socket. To move it without loss the new session's lane first hears
//! the socket's rooms (and every node knows of it), then the old session's lane waits until all that was published before
//! has come, and surrenders the socket with all that its client missed.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use hither_cluster::{Key, Marks, Missed, NodeId, Position, Topic};
use hither_engineio::CloseReason;
use hither_socketio::{DisconnectReason, NamespaceName, RecoveryId, RecoveryRequest, SocketId};
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tracing::{debug, info};

use super::{
    LaneEvent, SessionAddress, Sessions,
    env::{Env, Lane},
    history::{Place, Telling},
    joins::Past,
    session::{NamespaceSocket, Session, Upper},
    snapshot::SocketSnapshot,
};
use crate::{
    io::{Hearing, Io},
    job::{Job, Outcome, Verdict},
    request::{Claim, Claimable, ClaimedPlace, SessionReply, SessionRequest},
    room::{Room, RoomEvent},
    socket::{Effect, Effects},
};

/// Characters of the secret in a `pid`, beside the session id which is a secret too.
const SECRET_LENGTH: usize = 16;
/// How long one step of a recovery may take before the client gets a fresh socket.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// After which time a socket that was not found is looked for again; the next time after twice as long.
const FIND_AGAIN: Duration = Duration::from_millis(50);

/// A socket whose client is away.
#[derive(Clone, Debug)]
pub(crate) struct Away {
    pub(crate) reason: DisconnectReason,
    /// When the application is told; none once it has been.
    pub(crate) tell_at: Option<Instant>,
    /// When it is given up.
    pub(crate) until: Instant,
}

/// A socket on its way from one session to another, and what its client missed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Surrendered {
    pub(crate) socket: SocketSnapshot,
    missed: Vec<Telling>,
    /// How far the events missed go; what was published since is for the new session to add.
    marks: Marks,
    disconnected: bool,
}

/// A `pid` for a socket of this session: says where to ask for it first.
pub(crate) fn new_recovery_id(session: &Key) -> RecoveryId {
    let secret = Alphanumeric.sample_string(&mut rand::rng(), SECRET_LENGTH);
    RecoveryId::new(format!("{}.{secret}", session.as_str()))
}

/// How far the client that claims a socket was told.
fn place_of(claim: &Claim, socket: &NamespaceSocket) -> Option<Place> {
    match &claim.offset {
        Some(offset) => Place::parse(offset),
        None => Some(socket.since),
    }
}

/// The session in which the socket of a `pid` began.
fn home(recovery: &RecoveryId) -> Option<Key> {
    recovery
        .as_str()
        .split_once('.')
        .map(|(session, _)| Key::from(session))
}

impl Session {
    /// The client is away: its sockets that can be recovered wait for it. Says whether this one does.
    pub(super) fn wait_for_client(
        &mut self,
        env: &Env,
        now: Instant,
        id: &SocketId,
        reason: DisconnectReason,
    ) -> bool {
        let (Some(config), true) = (env.shared.config.recovery, is_accident(reason)) else {
            return false;
        };
        let Upper::SocketIo(upper) = &mut self.upper else {
            return false;
        };
        let Some(socket) = upper.sockets.iter_mut().find(|socket| socket.id == *id) else {
            return false;
        };
        if socket.recovery.is_none() || !socket.listening {
            return false;
        }
        let patience = env
            .shared
            .namespace(self.service, &socket.namespace)
            .map_or(Duration::ZERO, |handler| handler.patience());
        let tell_at = now + patience.min(config.window);
        socket.away = Some(Away {
            reason,
            tell_at: Some(tell_at),
            until: now + config.window,
        });
        true
    }

    /// What is due for sockets whose clients are away.
    pub(super) fn expire_away(&mut self, env: &mut Env, lane: &mut Lane) {
        let now = lane.now();
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        let (mut told, mut given_up) = (Vec::new(), Vec::new());
        for socket in &mut upper.sockets {
            if let Some(away) = &mut socket.away {
                if away.tell_at.take_if(|at| *at <= now).is_some() {
                    told.push((socket.id.clone(), away.reason));
                }
                if away.until <= now {
                    given_up.push(socket.id.clone());
                }
            }
        }
        for (socket, reason) in told {
            self.enqueue(Job::Disconnect { socket, reason });
            lane.changed(&self.key);
        }
        for socket in given_up {
            debug!(session = %self.key, %socket, "the client did not come back");
            self.give_up_socket(env, lane, &socket);
        }
    }

    /// A socket is not waited for any more. Its application was told before, or is now.
    fn give_up_socket(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId) {
        self.unlisten(env, lane, id);
        self.history.forget(id);
        lane.changed(&self.key);
        let pending = self
            .jobs
            .iter()
            .any(|(_, job)| matches!(job, Job::Disconnect { socket, .. } if socket == id));
        if let Upper::SocketIo(upper) = &mut self.upper
            && let Some(socket) = upper.socket_mut(id)
        {
            socket.recovery = None;
            if let Some(Away { tell_at: None, .. }) = socket.away.take()
                && !pending
                && !self.running_for(id)
                && let Upper::SocketIo(upper) = &mut self.upper
            {
                upper.sockets.retain(|socket| socket.id != *id);
            }
        }
    }

    // The session that has the socket

    /// Whether a socket can be had, and which topics it hears.
    pub(crate) fn claimable(&self, lane: &Lane, claim: &Claim) -> Option<Claimable> {
        let socket = self.claimed(claim)?;
        let position = place_of(claim, socket)?.position;
        Some(Claimable {
            topics: super::snapshot::topics_of(socket).collect(),
            told: lane
                .marks_at(position)
                .map_or(ClaimedPlace::Unknown(position), ClaimedPlace::UpTo),
        })
    }

    pub(super) fn claimed(&self, claim: &Claim) -> Option<&NamespaceSocket> {
        let Upper::SocketIo(upper) = &self.upper else {
            return None;
        };
        let is_claimed = |socket: &&NamespaceSocket| {
            socket.namespace == claim.namespace
                && socket.recovery.as_ref() == Some(&claim.recovery)
                && socket.listening
        };
        upper.sockets.iter().find(is_claimed)
    }

    /// The socket is another session's now: what it still had to do here is not done.
    pub(super) fn part_with(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId) {
        self.unlisten(env, lane, id);
        self.history.forget(id);
        self.jobs.drop_those_of(id);
        if let Upper::SocketIo(upper) = &mut self.upper {
            upper.sockets.retain(|socket| socket.id != *id);
        }
        lane.changed(&self.key);
    }

    pub(super) fn pack(&self, env: &Env, lane: &Lane, claim: &Claim) -> Option<Surrendered> {
        let socket = self.claimed(claim)?;
        let (missed, marks) = self.missed(lane, socket, claim, env.shared.config.max_outgoing_bytes)?;
        Some(Surrendered {
            socket: socket.snapshot(&env.shared, self.service, lane.now()).ok()?,
            missed,
            marks,
            disconnected: socket.away.as_ref().is_some_and(|away| away.tell_at.is_none()),
        })
    }

    /// What the client that claims a socket has missed, in order, and how far it is served with that; none if not all of
    /// it is kept, or it is too much.
    fn missed(
        &self,
        lane: &Lane,
        socket: &NamespaceSocket,
        claim: &Claim,
        limit: usize,
    ) -> Option<(Vec<Telling>, Marks)> {
        let place = place_of(claim, socket)?;
        let marks = lane.marks_at(place.position).or_else(|| claim.marks.clone())?;
        let marks = socket.epochs.at(place, marks)?;
        let topics: Vec<Topic> = super::snapshot::topics_of(socket).collect();
        let mut missed: Vec<((bool, u64, bool), Telling)> = Vec::new();
        let mut past = Past::of(socket, Some(place));
        let published = lane.published_after(&marks, &topics)?;
        let mut served = socket.epochs.served(lane.marks());
        served.merge(&marks);
        for publication in published.before {
            served.advance(&publication.origin, publication.number);
            // Told, if it was told, in lanes before this one, though nobody knows between what.
            if past.includes(lane, &publication, None)? && socket.is_addressed(&publication.payload) {
                missed.push(((false, u64::MAX, false), Telling::of(&publication)));
            }
        }
        for entry in published.entries {
            // What it knew in an earlier epoch, its client may still have missed.
            if past.includes(lane, &entry.publication, Some(entry.position))?
                && socket.is_addressed(&entry.publication.payload)
            {
                missed.push((
                    (true, entry.position.entry, false),
                    Telling::of(&entry.publication),
                ));
            }
        }
        let known: HashSet<(NodeId, u64)> = missed
            .iter()
            .filter_map(|(_, telling)| telling.published.clone())
            .collect();
        // What was told in lanes before this one comes first; in this one an entry comes before what was told after it.
        for (told, telling) in self
            .history
            .after(&socket.id, place, |place| socket.epochs.index(place))?
        {
            let is_known = telling.published.as_ref().is_some_and(|id| known.contains(id));
            if !is_known {
                let (is_here, rank) = socket.epochs.rank(told);
                missed.push(((is_here, rank, true), telling.clone()));
            }
        }
        missed.sort_by_key(|(order, _)| *order);
        let bytes: usize = missed
            .iter()
            .map(|(_, telling)| telling.event.args.json().len())
            .sum();
        (bytes <= limit).then(|| (missed.into_iter().map(|(_, telling)| telling).collect(), served))
    }

    // The session that gets the socket

    /// Takes a surrendered socket in: its client is connected again, and told what it missed.
    pub(super) fn take_in(&mut self, env: &mut Env, lane: &mut Lane, surrendered: Surrendered) {
        let Surrendered {
            socket,
            missed,
            marks,
            disconnected,
        } = surrendered;
        let (namespace, id) = (socket.namespace().clone(), socket.id().clone());
        let mut socket = match socket.restore(&env.shared, self.service, lane.now()) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(session = %self.key, %error, "cannot restore a returned socket");
                return self.refuse(&namespace, &hither_socketio::ConnectError::new("internal error"));
            }
        };
        socket.away = None;
        socket.returns += 1;
        self.commitment.owe();
        socket.begin_epoch(lane, &marks, self.history.count());
        self.history.skip();
        socket.since = Place {
            position: lane.position(),
            directs: self.history.count(),
        };
        let recovery = socket.recovery.clone();
        if let Some(recovery) = &recovery {
            env.recoverable(recovery, self.slot);
        }
        for topic in super::snapshot::topics_of(&socket) {
            // In force already: the recovery has prepared it.
            env.listen(lane, &topic, self.slot);
        }
        let topics: Vec<Topic> = super::snapshot::topics_of(&socket).collect();
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        upper.sockets.push(socket);
        if upper
            .connection
            .accept(&namespace, id.clone(), recovery.as_ref())
            .is_err()
        {
            // The client is away again already, and may come back again.
            let reason = DisconnectReason::Session(CloseReason::TransportClose);
            self.wait_for_client(env, lane.now(), &id, reason);
        } else {
            info!(session = %self.key, %namespace, socket = %id, missed = missed.len(), "socket recovered");
            env.shared.counters.recovered.up();
        }
        let Some(entries) = lane.published_since(&marks, &topics) else {
            info!(session = %self.key, socket = %id, "cannot continue a returned socket without a gap");
            return self.engine.close(CloseReason::TransportError);
        };
        let position = before(&entries, lane);
        for telling in missed {
            self.tell_at(env, lane, position, &id, telling);
        }
        let before = Vec::new();
        self.hear_missed(env, lane, position, &Missed { before, entries });
        self.enqueue(Job::Recovered {
            socket: id.clone(),
            disconnected,
        });
        self.enqueue(Job::Relocated { socket: id });
        lane.changed(&self.key);
    }
}

/// The position before entries that are about to be heard: what is told before them must not seem to be told after.
pub(super) fn before(entries: &[hither_cluster::Entry<RoomEvent>], lane: &Lane) -> Position {
    match entries.first() {
        Some(first) => Position {
            entry: first.position.entry - 1,
            ..first.position
        },
        None => lane.position(),
    }
}

/// Whether a client that was disconnected for this reason may come back: the reference server's list, less what is the
/// client's own doing.
fn is_accident(reason: DisconnectReason) -> bool {
    matches!(
        reason,
        DisconnectReason::Session(
            CloseReason::TransportClose
                | CloseReason::TransportError
                | CloseReason::PingTimeout
                | CloseReason::ShuttingDown
        )
    )
}

/// A client's wish to have its former socket, being looked into. Runs as a handler of the new session does.
pub(crate) struct Recovery {
    pub(crate) io: Io,
    pub(crate) lane: hither_cluster::LaneHandle<Sessions>,
    pub(crate) address: SessionAddress,
    pub(crate) namespace: NamespaceName,
    pub(crate) request: RecoveryRequest,
    pub(crate) effects: Effects,
}

impl Recovery {
    pub(crate) async fn run(self) -> Outcome {
        let verdict = match self.recover().await {
            Some(surrendered) => Verdict::Recovered(Box::new(surrendered)),
            None => {
                info!(session = %self.address.key, namespace = %self.namespace, "cannot recover a former socket");
                Verdict::NotRecovered
            }
        };
        Outcome {
            effects: self.effects,
            data: None,
            verdict,
        }
    }

    async fn recover(&self) -> Option<Surrendered> {
        let mut claim = Claim {
            namespace: self.namespace.clone(),
            recovery: self.request.pid.clone(),
            offset: self.request.offset.clone(),
            marks: None,
        };
        let (holder, claimable) = self.find(&claim).await?;
        claim.marks = Some(match claimable.told {
            ClaimedPlace::UpTo(marks) => marks,
            ClaimedPlace::Unknown(position) => self.io.marks_at(position).await?,
        });
        self.hold(claimable.topics, &holder).await;
        let surrender = SessionRequest::Surrender { claim };
        match self.io.request(&holder, surrender, STEP_TIMEOUT).await {
            Ok(SessionReply::Surrendered(surrendered)) => surrendered.map(|surrendered| *surrendered),
            Ok(_) => None,
            Err(error) => {
                info!(%error, "no answer from a former socket's session");
                None
            }
        }
    }

    /// The session that has the claimed socket. Asked again while sessions move, or are about to live on after a death, for
    /// one on its way is nowhere to be found.
    async fn find(&self, claim: &Claim) -> Option<(Key, Claimable)> {
        // Nobody is asked for what no node of this cluster has given away.
        let home = home(&claim.recovery).filter(|home| self.io.has_minted(home))?;
        let give_up_at = tokio::time::Instant::now() + STEP_TIMEOUT;
        let mut pause = FIND_AGAIN;
        loop {
            let settled = self.io.settled();
            if let Some(claimable) = self.ask(&home, claim).await {
                return Some((home, claimable));
            }
            // It has moved on since: somebody knows.
            let (holder, hearing) = self.io.holder_of(&claim.recovery).await;
            if let Some(holder) = holder
                && let Some(claimable) = self.ask(&holder, claim).await
            {
                return Some((holder, claimable));
            }
            let is_settled = settled.is_some() && settled == self.io.settled();
            let is_certain = is_settled && hearing == Hearing::Complete;
            if is_certain || tokio::time::Instant::now() + pause >= give_up_at {
                return None;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn ask(&self, holder: &Key, claim: &Claim) -> Option<Claimable> {
        match self
            .io
            .request(
                holder,
                SessionRequest::Claim { claim: claim.clone() },
                STEP_TIMEOUT,
            )
            .await
        {
            Ok(SessionReply::Claimable(claimable)) => claimable,
            Ok(_) => None,
            Err(error) => {
                info!(%error, "no answer from a former socket's session");
                None
            }
        }
    }

    /// Completes when the lane hears the topics and every node knows of it.
    async fn hold(&self, topics: Vec<Topic>, holder: &Key) {
        let (done, applied) = oneshot::channel::<Arc<BTreeSet<Room>>>();
        let hold = |topic| Effect::Hold {
            topic,
            of: holder.clone(),
        };
        let effects = topics.into_iter().map(hold).collect();
        self.lane.send(LaneEvent::Effects {
            address: self.address.clone(),
            effects,
            done,
        });
        // Dropped without an answer when the session has ended: then the rest leads nowhere, harmlessly.
        drop(applied.await);
    }
}

impl NamespaceSocket {
    /// Whether an event for a room is for this socket.
    pub(crate) fn is_addressed(&self, event: &RoomEvent) -> bool {
        self.listening
            && self.namespace == event.namespace
            && !event.except.contains(&self.id)
            && !event.except_rooms.iter().any(|room| self.rooms.contains(room))
    }
}
