//! The application's calls of a session: one at a time. Each is polled once where it stands, and only one that has to wait
//! becomes a task.

use std::{
    collections::BTreeSet,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use hither_socketio::{self as socketio, ConnectError, Json, NamespaceName, RecoveryRequest, SocketId};
use rand::distr::{Alphanumeric, SampleString};
use tokio::task::AbortHandle;
use tracing::{error, info};

use super::{
    LaneEvent, SessionAddress,
    cause::Cause,
    effects::{Application, Then},
    env::{Env, Lane},
    epochs::Epochs,
    history::Place,
    joins::Joins,
    recovery::Recovery,
    session::{NamespaceSocket, Session, Upper},
    shared::Service,
    speaking::BEHIND,
};
use crate::{
    io::Io,
    job::{Job, Outcome, Verdict},
    namespace::{AnyNamespace, Call},
    room::topic,
    socket::{AckError, Effect, Effects, SocketContext},
};

/// Characters of a socket's id: more than enough to be unique, few enough to read.
const SOCKET_ID_LENGTH: usize = 20;

/// Handlers of a session that may run in the lane before other sessions have their turn; those after them run as tasks.
const HANDLERS_PER_TURN: u32 = 32;

/// A handler at work. Dropped, it is stopped.
pub(crate) struct Running {
    run: u64,
    /// The number of the job.
    number: u64,
    /// The socket it runs for; none for plain Engine.IO.
    socket: Option<SocketId>,
    /// What it does, for the standby to do if this node dies meanwhile.
    job: Job,
    /// Once it has to wait.
    task: Option<AbortHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Session {
    /// Brings the application a step further. False when there is nothing to do now.
    pub(super) fn advance(&mut self, env: &mut Env, lane: &mut Lane) -> bool {
        if !self.applications.is_empty() {
            return self.apply_next(env, lane);
        }
        if self.running.is_some() {
            return false;
        }
        self.release_topics(lane);
        if self.moving {
            lane.calm(&self.key);
            return false;
        }
        if self.is_dormant() {
            return false;
        }
        let Some((number, job)) = self.jobs.take() else {
            return self.surrender(env, lane);
        };
        self.go_on(env, lane);
        self.cause = Cause::of(&self.key, &job);
        self.start(env, lane, number, job);
        true
    }

    /// What a client's presence in namespaces asks for.
    pub(super) fn connection_output(&mut self, env: &mut Env, lane: &mut Lane, output: socketio::Output) {
        match output {
            socketio::Output::ConnectRequested { namespace, auth } => {
                self.enqueue(Job::Connect { namespace, auth });
            }
            socketio::Output::ConnectRepeated { namespace, socket } => {
                info!(session = %self.key, %namespace, %socket, "the client asks again for a socket that it has");
                if let Upper::SocketIo(upper) = &mut self.upper {
                    let recovery = upper
                        .socket_mut(&socket)
                        .and_then(|socket| socket.recovery.clone());
                    if upper
                        .connection
                        .connected_again(&namespace, recovery.as_ref())
                        .is_err()
                    {
                        info!(session = %self.key, %namespace, "it was disconnected meanwhile, and notified");
                    }
                }
            }
            socketio::Output::EventUntaken {
                namespace,
                socket,
                error,
            } => info!(session = %self.key, %namespace, %socket, %error, "cannot accept an event"),
            socketio::Output::Event {
                socket, event, ack, ..
            } => {
                let cause = self.input.next();
                self.enqueue(Job::Event {
                    socket,
                    event,
                    ack,
                    cause,
                });
            }
            socketio::Output::Acked { socket, id, args, .. } => {
                if let Upper::SocketIo(upper) = &mut self.upper
                    && let Some(awaited) = upper
                        .socket_mut(&socket)
                        .and_then(|socket| socket.acks.remove(&id))
                {
                    self.enqueue(Job::Acked {
                        socket,
                        context: awaited.context,
                        answer: Ok(args),
                    });
                }
            }
            socketio::Output::Disconnected {
                namespace,
                socket,
                reason,
            } => {
                info!(session = %self.key, %namespace, %socket, %reason, "socket disconnected");
                if !self.wait_for_client(env, lane.now(), &socket, reason) {
                    self.unlisten(env, lane, &socket);
                    self.enqueue(Job::Disconnect { socket, reason });
                }
                lane.changed(&self.key);
            }
            socketio::Output::Send(encoded) => self.say(env, lane, encoded.into_frames()),
            socketio::Output::Close(reason) => {
                info!(session = %self.key, %reason, "the client is closed");
                self.engine.close(reason.session_reason());
            }
        }
    }

    fn start(&mut self, env: &mut Env, lane: &mut Lane, number: u64, job: Job) {
        let service = env.shared.clone();
        match service.service(self.service) {
            Some(Service::SocketIo(namespaces)) => match job {
                Job::Connect { namespace, auth } => match namespaces.get(&namespace) {
                    Some(found) => self.start_connect(env, lane, number, found.clone(), namespace, auth),
                    None => self.refuse(&namespace, &ConnectError::invalid_namespace()),
                },
                job => self.start_for_socket(env, lane, namespaces, number, job),
            },
            Some(Service::EngineIo(service)) => {
                if let Job::EngineMessage(message) = job {
                    let effects = Effects::new(env.shared.config.max_outgoing_bytes);
                    let call = service.clone().call(message.clone(), effects);
                    let run = env.next_run();
                    self.run(env, lane, run, (number, Job::EngineMessage(message)), None, call);
                }
            }
            // Nodes with other services than ours share our cluster.
            None => error!(
                service = self.service.0,
                "no such service on this node; a call of it is dropped"
            ),
        }
    }

    fn start_connect(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        number: u64,
        handler: Arc<dyn AnyNamespace>,
        namespace: NamespaceName,
        auth: Option<Json>,
    ) {
        let id = SocketId::new(Alphanumeric.sample_string(&mut rand::rng(), SOCKET_ID_LENGTH));
        let run = env.next_run();
        let job = Job::Connect {
            namespace: namespace.clone(),
            auth: auth.clone(),
        };
        if !self.recovery_failed
            && env.shared.recovery(self.service, &namespace).is_some()
            && let Some(request) = auth.as_ref().and_then(RecoveryRequest::from_auth)
        {
            let recovery = Recovery {
                io: Io::new(lane.cluster(), env.shared.clone()),
                lane: lane.handle(),
                address: SessionAddress {
                    key: self.key.clone(),
                    run,
                },
                namespace,
                request,
                effects: Effects::new(env.shared.config.max_outgoing_bytes),
            };
            return self.run(env, lane, run, (number, job), Some(id), Box::pin(recovery.run()));
        }
        self.recovery_failed = false;
        let context = self.context(env, lane, run, &namespace, &id, Arc::default());
        // Both once more when the client is let in.
        let begin = Place {
            position: lane.position(),
            directs: 0,
        };
        if let Upper::SocketIo(upper) = &mut self.upper {
            upper.sockets.push(NamespaceSocket {
                namespace: namespace.clone(),
                id: id.clone(),
                data: None,
                rooms: Arc::default(),
                joins: Joins::default(),
                listening: false,
                acks: Default::default(),
                person: None,
                shown: None,
                returns: 0,
                recovery: None,
                since: begin,
                epochs: Epochs::first(begin),
                away: None,
                saved: None,
            });
        }
        let call = handler.call(Job::Connect { namespace, auth }, context, None);
        self.run(env, lane, run, (number, job), Some(id), call);
    }

    fn start_for_socket(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        namespaces: &std::collections::HashMap<NamespaceName, Arc<dyn AnyNamespace>>,
        number: u64,
        job: Job,
    ) {
        let Some(id) = job.socket().cloned() else { return };
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        // Gone for good: what it still said before is not for anybody.
        let Some(socket) = upper.socket_mut(&id) else {
            return;
        };
        let Some(handler) = namespaces.get(&socket.namespace) else {
            return;
        };
        if matches!(job, Job::Relocated { .. }) && !(handler.follows_whereabouts() && socket.listening) {
            return;
        }
        let (namespace, rooms, data) = (socket.namespace.clone(), socket.rooms.clone(), socket.data.take());
        let run = env.next_run();
        let context = self.context(env, lane, run, &namespace, &id, rooms);
        let call = handler.clone().call(job.clone(), context, data);
        self.run(env, lane, run, (number, job), Some(id), call);
    }

    fn context(
        &self,
        env: &Env,
        lane: &Lane,
        run: u64,
        namespace: &NamespaceName,
        id: &SocketId,
        rooms: Arc<BTreeSet<crate::room::Room>>,
    ) -> SocketContext {
        SocketContext {
            id: id.clone(),
            namespace: namespace.clone(),
            handshake: self.handshake.clone(),
            rooms,
            whereabouts: self.whereabouts(lane),
            effects: Effects::new(env.shared.config.max_outgoing_bytes),
            address: SessionAddress {
                key: self.key.clone(),
                run,
            },
            lane: lane.handle(),
            io: Io::new(lane.cluster(), env.shared.clone()),
        }
    }

    /// Runs a handler. Most are done without waiting, and need no task; what they ask for is done when the session goes on.
    fn run(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        run: u64,
        (number, job): (u64, Job),
        socket: Option<SocketId>,
        mut call: Call,
    ) {
        let mut running = Running {
            run,
            number,
            job,
            socket,
            task: None,
        };
        if self.may_run_here(env, lane) {
            env.handlers_in_turn += 1;
            // Nobody is to be woken: one that is not done is polled again as soon as it is a task.
            if let Poll::Ready(outcome) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return self.take_outcome(env, lane, running, outcome);
            }
        }
        let (address, handle) = (
            SessionAddress {
                key: self.key.clone(),
                run,
            },
            lane.handle(),
        );
        let task = tokio::spawn(async move {
            let outcome = call.await;
            handle.send(LaneEvent::HandlerEnded { address, outcome });
        });
        running.task = Some(task.abort_handle());
        self.running = Some(running);
    }

    /// Whether a handler may run in the lane. The end of one that is a task comes as a message.
    fn may_run_here(&self, env: &Env, lane: &Lane) -> bool {
        // What was said goes out at the end of the turn, and counts until then as if the client did not read it.
        let is_behind = self.outgoing.bytes() > BEHIND;
        // A message waits until it is known whether this is the session's only copy.
        env.handlers_in_turn < HANDLERS_PER_TURN && !is_behind && !lane.is_in_doubt()
    }

    pub(super) fn refuse(&mut self, namespace: &NamespaceName, error: &ConnectError) {
        if let Upper::SocketIo(upper) = &mut self.upper
            && upper.connection.refuse(namespace, error).is_err()
        {
            info!(session = %self.key, %namespace, "the client left before it was refused");
        }
    }

    /// The job whose handler is at work, and its number.
    pub(crate) fn running_job(&self) -> Option<(u64, &Job)> {
        self.running
            .as_ref()
            .map(|running| (running.number, &running.job))
    }

    /// Whether the handler at work is for this socket.
    pub(crate) fn running_for(&self, socket: &SocketId) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.socket.as_ref() == Some(socket))
    }

    /// Whether what is said in a namespace is said to the client of this socket. Its handlers may outlive it, and then the
    /// client may have another socket there.
    pub(super) fn is_current(&self, namespace: &NamespaceName, socket: &SocketId) -> bool {
        let Upper::SocketIo(upper) = &self.upper else {
            return false;
        };
        let is_asked = || {
            let job = self.running_job().map(|(_, job)| job);
            matches!(job, Some(Job::Connect { .. })) && self.running_for(socket)
        };
        upper.connection.socket(namespace) == Some(socket) || is_asked()
    }

    /// Whether this is the handler at work, and not an earlier one.
    pub(crate) fn is_running(&self, run: u64) -> bool {
        self.running.as_ref().is_some_and(|running| running.run == run)
    }

    /// A running handler wants done what it has asked for so far.
    pub(crate) fn handler_flushed(
        &mut self,
        env: &mut Env,
        lane: &mut Lane,
        effects: Vec<Effect>,
        done: tokio::sync::oneshot::Sender<Arc<BTreeSet<crate::room::Room>>>,
    ) {
        let socket = self.running.as_ref().and_then(|running| running.socket.clone());
        self.applications
            .push_back(Application::new(socket, effects, Then::GoOn(done)));
        self.drive(env, lane);
    }

    /// The handler at work has ended.
    pub(crate) fn handler_ended(&mut self, env: &mut Env, lane: &mut Lane, outcome: Outcome) {
        if let Some(running) = self.running.take() {
            self.take_outcome(env, lane, running, outcome);
            self.drive(env, lane);
        }
    }

    /// A handler has ended, and what it asked for is to be done.
    fn take_outcome(&mut self, env: &mut Env, lane: &mut Lane, running: Running, outcome: Outcome) {
        let socket = running.socket.clone();
        if let (Some(id), Upper::SocketIo(upper)) = (&socket, &mut self.upper)
            && let Some(entry) = upper.socket_mut(id)
        {
            entry.data = outcome.data;
            if entry.save(&env.shared, self.service) {
                // What the handler answers leaves when the standby knows of that.
                self.commitment.owe();
                lane.changed(&self.key);
            }
        }
        let mut effects = outcome.effects.list;
        match outcome.verdict {
            Verdict::Done => {
                if matches!(running.job, Job::Connect { .. }) {
                    effects.splice(0..0, [Effect::Enter, Effect::Accept]);
                }
            }
            Verdict::NotRecovered => {
                // Asks again, as a client that has never been here.
                self.recovery_failed = true;
                self.jobs.put_back(running.number, running.job.clone());
            }
            Verdict::Recovered(surrendered) => self.take_in(env, lane, *surrendered),
            Verdict::Refused(error) => {
                effects.clear();
                let upper = match &mut self.upper {
                    Upper::SocketIo(upper) => upper,
                    Upper::EngineIo => return,
                };
                let namespace = socket.as_ref().and_then(|id| {
                    let position = upper.sockets.iter().position(|socket| socket.id == *id)?;
                    Some(upper.sockets.remove(position).namespace)
                });
                if let Some(namespace) = namespace {
                    info!(session = %self.key, %namespace, reason = %error.message, "connect refused");
                    self.refuse(&namespace, &error);
                }
            }
            Verdict::Panicked(message) => {
                env.shared.counters.panics.up();
                error!(
                    session = %self.key,
                    handler = running.job.kind(),
                    panic = message,
                    "a handler panicked; its session is closed"
                );
                effects.clear();
                self.engine.close(hither_engineio::CloseReason::ForcedClose);
            }
        }
        let then = if matches!(running.job, Job::Disconnect { .. }) {
            Then::Forget
        } else {
            Then::Rest
        };
        self.applications
            .push_back(Application::new(socket, effects, then));
    }

    /// The socket hears its rooms and its namespace no more; its rooms stay known, for `disconnect` to see.
    pub(crate) fn unlisten(&mut self, env: &mut Env, lane: &mut Lane, id: &SocketId) {
        let slot = self.slot;
        if let Upper::SocketIo(upper) = &mut self.upper
            && let Some(socket) = upper.socket_mut(id)
            && std::mem::take(&mut socket.listening)
        {
            if let Some(recovery) = &socket.recovery {
                env.not_recoverable(recovery, slot);
            }
            env.unlisten(lane, &topic(&socket.namespace, None), slot);
            for room in socket.rooms.iter() {
                env.unlisten(lane, &topic(&socket.namespace, Some(room)), slot);
            }
        }
    }

    /// Answers that were waited for and will not come in time.
    pub(super) fn expire_acks(&mut self, now: Instant) {
        let Upper::SocketIo(upper) = &mut self.upper else {
            return;
        };
        let mut expired = Vec::new();
        for socket in &mut upper.sockets {
            for (id, awaited) in socket.acks.extract_if(.., |_, awaited| awaited.overdue <= now) {
                upper.connection.forget_ack(&socket.namespace, id);
                expired.push((socket.id.clone(), awaited.context));
            }
        }
        for (socket, context) in expired {
            self.enqueue(Job::Acked {
                socket,
                context,
                answer: Err(AckError::TimedOut),
            });
        }
    }
}
