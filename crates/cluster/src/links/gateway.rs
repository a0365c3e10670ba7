//! The gateway: the one actor of a node that other nodes can reach, and the actor at this end of all its links.
//!
//! It hears of everything that concerns a link as messages in one mailbox, so that what it tells the node
//! ([`LinkEvents`]) is in one order.

use std::{sync::Arc, time::Duration};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, Message, SupervisionEvent,
    message::{BoxedDowncastErr, SerializedMessage},
    pg,
};
use ractor_cluster::NodeServerMessage;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::error;

use super::{
    LinkEvents, LinkLimits, LinkSender,
    accept::Acceptor,
    dial::DialError,
    error::LinkDown,
    handshakes::Handshake,
    hello::Greeter,
    identity::gateway_group,
    library::{self, Session},
    opened::{Opened, Way},
    pass::Passage,
    stream::StreamId,
    switchboard::Switchboard,
};
use crate::member::{NodeId, View};

/// The process groups in which gateways are found.
pub(super) const SCOPE: &str = "hither";

/// How many times within the stall timeout the gateway looks for silence.
const TICKS_PER_STALL: u32 = 8;

/// What the gateway is sent: envelopes by other nodes, all else by its own.
pub(super) enum GatewayMessage {
    Envelope(Vec<u8>),
    Local(Event),
}

/// What happens to the links of this node.
pub(super) enum Event {
    /// A connection was opened, on which a link may come up.
    Opened(Box<Opened>),
    /// A peer could not be reached.
    DialFailed {
        peer: NodeId,
        way: Way,
        error: DialError,
    },
    /// The library's handshake on a connection is done.
    Ready(Session),
    /// The library has closed a connection.
    Closed(StreamId),
    /// More waits for a peer than may.
    Overflowed { stream: StreamId, waiting: usize },
    /// There are other members.
    View(Arc<View>),
    /// Some time has passed.
    Tick,
    /// Closes all links, once what was sent has been handled, and ends.
    Shutdown(oneshot::Sender<()>),
}

/// Written by hand, for what the derive makes of bytes copies each by itself.
impl Message for GatewayMessage {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        match self {
            Self::Envelope(args) => Ok(SerializedMessage::Cast {
                variant: String::new(),
                args,
                metadata: None,
            }),
            Self::Local(_) => Err(BoxedDowncastErr),
        }
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } => Ok(Self::Envelope(args)),
            SerializedMessage::Call { .. } | SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// The actor.
pub(super) struct Gateway {
    pub(super) greeter: Greeter,
    pub(super) limits: LinkLimits,
}

/// What the actor is started with.
pub(super) struct GatewayArguments {
    pub(super) listener: TcpListener,
    pub(super) sender: LinkSender,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) events: Arc<dyn LinkEvents>,
}

/// What the actor works with.
pub(super) struct GatewayState {
    switchboard: Switchboard,
    library: ActorRef<NodeServerMessage>,
    ticked: Instant,
    closing: Option<Closing>,
    _acceptor: AbortOnDropHandle<()>,
    _watcher: AbortOnDropHandle<()>,
    _clock: AbortOnDropHandle<()>,
}

/// A shutdown under way.
struct Closing {
    deadline: Instant,
    done: oneshot::Sender<()>,
}

/// How long a shutdown waits for the peers to handle what they were sent.
const CLOSING: Duration = Duration::from_secs(1);

impl Actor for Gateway {
    type Msg = GatewayMessage;
    type State = GatewayState;
    type Arguments = GatewayArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<GatewayMessage>,
        arguments: GatewayArguments,
    ) -> Result<GatewayState, ActorProcessingErr> {
        let GatewayArguments {
            listener,
            sender,
            views,
            events,
        } = arguments;
        pg::join_scoped(
            SCOPE.to_owned(),
            gateway_group(&self.greeter.me),
            vec![myself.get_cell()],
        );
        let library = self.start_library(&myself).await?;
        let tick = self.limits.stall_timeout / TICKS_PER_STALL;
        let switchboard = Switchboard::new(
            self.greeter.clone(),
            self.limits.clone(),
            sender,
            events,
            myself.clone(),
        );
        let passage = Passage::new(views.clone(), self.limits.stall_timeout);
        let acceptor = Acceptor::new(self.greeter.clone(), passage, myself.clone());
        let task = |task| AbortOnDropHandle::new(task);
        Ok(GatewayState {
            switchboard,
            library,
            ticked: Instant::now(),
            closing: None,
            _acceptor: task(tokio::spawn(acceptor.run(listener))),
            _watcher: task(tokio::spawn(watch_views(views, myself.clone()))),
            _clock: task(tokio::spawn(tell_time(tick, myself))),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<GatewayMessage>,
        message: GatewayMessage,
        state: &mut GatewayState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            GatewayMessage::Envelope(bytes) => state.switchboard.envelope(bytes.into()),
            GatewayMessage::Local(event) => self.handle_event(event, state),
        }
        state.close_if_settled(&myself);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<GatewayMessage>,
        event: SupervisionEvent,
        state: &mut GatewayState,
    ) -> Result<(), ActorProcessingErr> {
        let (actor, reason) = match event {
            SupervisionEvent::ActorFailed(actor, error) => (actor, error.to_string()),
            SupervisionEvent::ActorTerminated(actor, _, reason) => (actor, reason.unwrap_or_default()),
            _ => return Ok(()),
        };
        if actor.get_id() == state.library.get_id() {
            error!(
                reason,
                "the actors under all links have ended; starting them again"
            );
            state.switchboard.lose_library();
            state.library = self.start_library(&myself).await?;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<GatewayMessage>,
        state: &mut GatewayState,
    ) -> Result<(), ActorProcessingErr> {
        state.switchboard.close_all(&LinkDown::Shutdown);
        Ok(())
    }
}

impl Gateway {
    async fn start_library(
        &self,
        myself: &ActorRef<GatewayMessage>,
    ) -> Result<ActorRef<NodeServerMessage>, ActorProcessingErr> {
        library::start(&self.greeter.me, library::frame_limit(&self.limits), myself).await
    }

    fn handle_event(&self, event: Event, state: &mut GatewayState) {
        let switchboard = &mut state.switchboard;
        match event {
            Event::Opened(opened) => {
                let next = switchboard.opened(*opened);
                state.shake_hands(next);
            }
            Event::DialFailed { peer, way, error } => switchboard.unreached(&peer, &way, &error),
            Event::Ready(session) => switchboard.ready(&session),
            Event::Closed(stream) => {
                let next = switchboard.closed(stream);
                state.shake_hands(next);
            }
            Event::Overflowed { stream, waiting } => {
                let bound = self.limits.queue;
                switchboard.down(stream, &LinkDown::QueueFull { waiting, bound });
            }
            // A node that closes its links must not open new ones.
            Event::View(_) if state.closing.is_some() => {}
            Event::View(view) => switchboard.view(view),
            Event::Tick => {
                // Ticks that waited in the mailbox come all at once, and a process that was stopped has heard nobody
                // meanwhile: neither is the peers' silence.
                let tick = self.limits.stall_timeout / TICKS_PER_STALL;
                let passed = std::mem::replace(&mut state.ticked, Instant::now()).elapsed();
                switchboard.tick(passed.min(tick * 2));
            }
            Event::Shutdown(done) => {
                switchboard.hang_up();
                state.closing = Some(Closing {
                    deadline: Instant::now() + CLOSING,
                    done,
                });
            }
        }
    }
}

impl GatewayState {
    fn shake_hands(&mut self, mut next: Option<Handshake>) {
        while let Some(Handshake { id, stream, side }) = next {
            if library::connect(&self.library, stream, side) {
                return;
            }
            next = self.switchboard.closed(id);
        }
    }

    fn close_if_settled(&mut self, myself: &ActorRef<GatewayMessage>) {
        let settled =
            |closing: &mut Closing| self.switchboard.is_settled() || Instant::now() >= closing.deadline;
        if let Some(closing) = self.closing.take_if(settled) {
            self.switchboard.close_all(&LinkDown::Shutdown);
            // Whoever asked may have lost patience.
            closing.done.send(()).ok();
            myself.stop(None);
        }
    }
}

async fn watch_views(mut views: watch::Receiver<Arc<View>>, gateway: ActorRef<GatewayMessage>) {
    loop {
        let view = views.borrow_and_update().clone();
        if gateway.cast(GatewayMessage::Local(Event::View(view))).is_err() || views.changed().await.is_err() {
            return;
        }
    }
}

async fn tell_time(tick: Duration, gateway: ActorRef<GatewayMessage>) {
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if gateway.cast(GatewayMessage::Local(Event::Tick)).is_err() {
            return;
        }
    }
}
