//! The feed of the page `/cluster`: where sessions live, and how they move, for whoever watches.
//!
//! A page connects to the namespace [`NAMESPACE`], and says `watch {version}` with the version of the picture that it has,
//! if any. It is answered `{you}`, the tag of its own session, and says so again every few seconds: while nobody does, a
//! node looks at nothing. What it is told:
//!
//! - `sessions {version, from, seen: [[tag, owner, ingress, transport]], ended: [tag]}`: what changed since the picture with
//!   the version `from`; without `from`, the whole picture. A transport is `polling`, `websocket`, or null while the client
//!   is away.
//! - `members {version, node, members}`: with every look, the live members and what each counts, as in `/status/cluster`.
//!
//! Each node has versions of its own. A page that is told changes of a picture which it does not have says `watch` at once,
//! and is told the whole picture: so it is after its own session has moved.

mod picture;
mod watchers;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hither::{
    ConnectError, EventError, Io, Json, MemberCensus, Namespace, NamespaceName, NamespaceNameError, Received,
    Room, ServerBuilder, Socket,
};
use serde::{Deserialize, Serialize};
use tokio::time::sleep_until;
use tracing::warn;

use self::{
    picture::{Picture, Version},
    watchers::Watchers,
};

/// Where pages watch.
const NAMESPACE: &str = "/cluster";
/// All who watch.
const WATCHERS: &str = "watchers";
/// How often a node looks, however many watch.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a look waits for a node that is silent.
const LOOK_PATIENCE: Duration = Duration::from_millis(400);
/// Sessions in a picture. More than people can tell apart.
const SHOWN: usize = 2_000;

/// Looks at the cluster while somebody watches.
#[derive(Clone)]
pub(crate) struct Lookout {
    namespace: NamespaceName,
    view: Arc<Mutex<View>>,
    watchers: Arc<Watchers>,
}

/// What this node saw last.
#[derive(Default)]
struct View {
    picture: Picture,
    members: Vec<MemberCensus>,
}

/// What a page says that it has.
#[derive(Default, Deserialize)]
struct Watch {
    version: Option<Version>,
}

#[derive(Serialize)]
struct Members<'a> {
    version: Option<&'a Version>,
    node: &'a str,
    members: &'a [MemberCensus],
}

impl Lookout {
    /// Mounts it on a server; it looks when it [runs](Self::run).
    pub(crate) fn mount(server: ServerBuilder) -> Result<(ServerBuilder, Self), NamespaceNameError> {
        let lookout = Self {
            namespace: NamespaceName::new(NAMESPACE)?,
            view: Arc::default(),
            watchers: Arc::default(),
        };
        Ok((server.namespace(NAMESPACE, lookout.clone())?, lookout))
    }

    /// Looks while somebody watches, for ever.
    pub(crate) async fn run(self, io: Io) {
        loop {
            self.watchers.any().await;
            let began = Instant::now();
            if let Err(error) = self.look(&io).await {
                warn!(%error, "those who watch cannot be told what there is to see");
            }
            sleep_until((began + LOOK_EVERY).into()).await;
            if !self.watchers.are_there(Instant::now()) {
                *self.view() = View::default();
            }
        }
    }

    async fn look(&self, io: &Io) -> Result<(), EventError> {
        let census = io.census(SHOWN, LOOK_PATIENCE).await;
        let room = Room::from(WATCHERS);
        let mut view = self.view();
        let View { picture, members } = &mut *view;
        if let Some(change) = picture.take_in(new_version(io), &census) {
            io.emit_here(&self.namespace, Some(&room), "sessions", &change)?;
        }
        *members = census.members;
        io.emit_here(&self.namespace, Some(&room), "members", &view.members(io))
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn members<'a>(&'a self, io: &'a Io) -> Members<'a> {
        Members {
            version: self.picture.version(),
            node: io.node().as_str(),
            members: &self.members,
        }
    }
}

impl Namespace for Lookout {
    type Data = ();

    async fn connect(&self, socket: &mut Socket<()>, _: Option<Json>) -> Result<(), ConnectError> {
        socket
            .join(WATCHERS)
            .map_err(|error| ConnectError::new(error.to_string()))
    }

    async fn event(&self, socket: &mut Socket<()>, received: Received) {
        if received.event.name.as_str() != "watch" {
            return;
        }
        let Watch { version } = received.event.args.parse_first().unwrap_or_default();
        self.watchers.renew(Instant::now());
        let you = serde_json::json!({ "you": socket.session_tag() });
        let view = self.view();
        let mut told = socket.ack(received.ack, &you);
        // Without a picture the first look shows everything to everybody.
        if told.is_ok() && view.picture.version().is_some() && view.picture.version() != version.as_ref() {
            let io = socket.io().clone();
            told = socket
                .emit("sessions", &view.picture.whole())
                .and_then(|()| socket.emit("members", &view.members(&io)));
        }
        if let Err(error) = told {
            warn!(%error, "one who watches cannot be told what there is to see");
        }
    }
}

/// Another one with every look of every node.
fn new_version(io: &Io) -> Version {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Version::new(io.node(), since_epoch)
}
