//! The feed of the page `/cluster`: where sessions live, and how they move, for whoever watches.
//!
//! It is a stream of server-sent events. While nobody watches, a node looks at nothing. The events, with JSON as their data:
//!
//! - `hello {node, public}`, first: the node that looks, and whether the page beside it is the one for clients.
//! - `sessions {version, from, seen: [[tag, owner, ingress, transport]], ended: [tag]}`: what changed since the picture with
//!   the version `from`; without `from`, the whole picture. A transport is `polling`, `websocket`, or null while the client
//!   is away.
//! - `members {version, node, members}`: with every look, the live members and what each counts, as in `/status/cluster`.
//!
//! Who reads too slowly to be told every change is told the whole picture instead.

mod picture;

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use hither::{Io, MemberCensus};
use serde::Serialize;
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
    },
    time::sleep_until,
};
use tracing::warn;

use self::picture::{Picture, Version};

/// How often a node looks, however many watch.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a look waits for a node that is silent.
const LOOK_PATIENCE: Duration = Duration::from_millis(400);
/// Sessions in a picture. More than people can tell apart.
const SHOWN: usize = 2_000;
/// Events that wait for one who reads slowly: those of four seconds.
const QUEUED: usize = 16;
/// Most who watch at a time.
const MAX_WATCHERS: usize = 256;

/// Looks at the cluster while somebody watches.
#[derive(Clone)]
pub(crate) struct ClusterFeed(Arc<Shared>);

struct Shared {
    io: Io,
    view: Mutex<View>,
    events: broadcast::Sender<Event>,
    came: Notify,
}

/// What this node saw last.
#[derive(Default)]
struct View {
    picture: Picture,
    members: Vec<MemberCensus>,
}

#[derive(Serialize)]
struct Hello<'a> {
    node: &'a str,
    public: bool,
}

#[derive(Serialize)]
struct Members<'a> {
    version: Option<&'a Version>,
    node: &'a str,
    members: &'a [MemberCensus],
}

/// Why somebody cannot watch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    #[error("{MAX_WATCHERS} watch this node already: watch another one, or try again later")]
    TooMany,
    #[error("what there is to see cannot be told: {0}")]
    Json(#[from] serde_json::Error),
}

impl ClusterFeed {
    /// It looks when it [runs](Self::run).
    pub(crate) fn new(io: Io) -> Self {
        Self(Arc::new(Shared {
            io,
            view: Mutex::default(),
            events: broadcast::Sender::new(QUEUED),
            came: Notify::new(),
        }))
    }

    /// Looks while somebody watches, for ever.
    pub(crate) async fn run(self) {
        loop {
            while !self.is_watched() {
                self.0.came.notified().await;
            }
            let began = Instant::now();
            if let Err(error) = self.look().await {
                warn!(%error, "cannot read the state of the cluster for its feed");
            }
            sleep_until((began + LOOK_EVERY).into()).await;
            if !self.is_watched() {
                *self.view() = View::default();
            }
        }
    }

    /// What one who watches is told, for as long as he wants to know. `public` says whether he came by a clients' address.
    pub(crate) fn watch(
        &self,
        public: bool,
    ) -> Result<impl Stream<Item = Result<Event, Infallible>> + use<>, WatchError> {
        if self.0.events.receiver_count() >= MAX_WATCHERS {
            return Err(WatchError::TooMany);
        }
        let hello = Hello {
            node: self.0.io.node().as_str(),
            public,
        };
        let mut watcher = self.enter()?;
        watcher.first.push_front(event("hello", &hello)?);
        Ok(stream::unfold(watcher, |mut watcher| async {
            Some((Ok(watcher.next().await?), watcher))
        }))
    }

    /// The whole picture, and what follows it.
    fn enter(&self) -> serde_json::Result<Watcher> {
        // Events are sent under this lock.
        let view = self.view();
        let events = self.0.events.subscribe();
        self.0.came.notify_one();
        let mut first = VecDeque::new();
        if let Some(whole) = view.picture.whole() {
            first.push_back(event("sessions", &whole)?);
            first.push_back(event("members", &self.members(&view))?);
        }
        drop(view);
        Ok(Watcher {
            cluster_feed: self.clone(),
            first,
            events,
        })
    }

    fn is_watched(&self) -> bool {
        self.0.events.receiver_count() > 0
    }

    async fn look(&self) -> serde_json::Result<()> {
        let census = self.0.io.census(SHOWN, LOOK_PATIENCE).await;
        let mut view = self.view();
        if let Some(change) = view.picture.take_in(new_version(&self.0.io), &census) {
            self.tell(event("sessions", &change)?);
        }
        view.members = census.members;
        self.tell(event("members", &self.members(&view))?);
        Ok(())
    }

    fn tell(&self, event: Event) {
        // In vain if the last one has just gone.
        drop(self.0.events.send(event));
    }

    fn members<'a>(&'a self, view: &'a View) -> Members<'a> {
        Members {
            version: view.picture.version(),
            node: self.0.io.node().as_str(),
            members: &view.members,
        }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.0.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches.
struct Watcher {
    cluster_feed: ClusterFeed,
    /// What he is told before anything else.
    first: VecDeque<Event>,
    events: broadcast::Receiver<Event>,
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.first.pop_front() {
                return Some(event);
            }
            match self.events.recv().await {
                Ok(event) => return Some(event),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => match self.cluster_feed.enter() {
                    Ok(anew) => *self = anew,
                    Err(error) => {
                        warn!(%error, "cannot send to the cluster feed");
                        return None;
                    }
                },
            }
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> serde_json::Result<Event> {
    Ok(Event::default().event(name).data(serde_json::to_string(data)?))
}

/// Another one with every look of every node.
fn new_version(io: &Io) -> Version {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Version::new(io.node(), since_epoch)
}
