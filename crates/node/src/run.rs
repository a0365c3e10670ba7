//! The life of a node, from its flags to its exit code.

use std::{mem, process::ExitCode, sync::Arc, time::Duration};

use hither::{
    Io, Server, ServerConfig, StartError,
    cluster::{self, Fatal, LinksError, MembershipError, Placement},
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{error, info, warn};

use crate::{
    cli::{MISUSE, NodeArgs},
    cluster_feed::ClusterFeed,
    http::{
        Acceptor, ActiveListener, AdminListener, Audience, BoundListener, HostNames, ListenError, Operators,
        Readiness,
    },
    leaving::{Departure, Limits},
    logging,
    reload::{follow_certificate, follow_secrets},
    rlimit,
    settings::{Trust, cluster_config, server_config},
    site::{Background, Site, SiteError},
    tls::Tls,
};

/// Runs a node until a signal ends it, or it must end, and tells the exit code: 0 when it left in order, 1 when it could
/// not start or go on, 2 when a flag is wrong. `site` is given what the flags say about the treatment of clients.
///
/// Takes the process for itself: its signals, its log, its limit on open files. One node per process.
pub fn run(args: &NodeArgs, site: impl AsyncFnOnce(ServerConfig) -> Result<Site, SiteError>) -> ExitCode {
    let trust = match Trust::of(&args.cluster) {
        Ok(trust) => trust,
        Err(misuse) => {
            eprintln!("error: {misuse}");
            return MISUSE.into();
        }
    };
    let tls = match args.listen.tls().map(Tls::read).transpose() {
        Ok(tls) => tls,
        Err(error) => {
            eprintln!("error: {error}");
            return MISUSE.into();
        }
    };
    let _log = match logging::start(&args.listen.name, &args.log) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: cannot log: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = Runtime::new().map_err(BadEnd::System).and_then(|runtime| {
        let outcome = runtime.block_on(live(args, &trust, tls, site));
        // Waits for nobody, such as a resolver that takes its time over a seed's name.
        runtime.shutdown_background();
        outcome
    });
    outcome.unwrap_or_else(|end| {
        error!("{end}");
        end.exit_code()
    })
}

/// Why a node ended without leaving.
#[derive(Debug, thiserror::Error)]
enum BadEnd {
    #[error("cannot start: {0}")]
    System(std::io::Error),
    #[error("cannot start: {0}")]
    Site(SiteError),
    #[error("cannot start: {0}")]
    Listen(#[from] ListenError),
    #[error("cannot start: {0}")]
    Server(StartError),
    #[error("ended at once by a second signal")]
    Cut,
}

impl From<StartError> for BadEnd {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Cluster(
                cluster::StartError::Links(LinksError::Bind { address, source })
                | cluster::StartError::Membership(MembershipError::Bind { address, source }),
            ) => ListenError::new("--cluster", address, source).into(),
            error => Self::Server(error),
        }
    }
}

impl BadEnd {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Server(StartError::Cluster(
                cluster::StartError::LaneCount(_)
                | cluster::StartError::Membership(
                    MembershipError::MixedFamilies { .. }
                    | MembershipError::TooShort { .. }
                    | MembershipError::Unreachable { .. },
                ),
            )) => MISUSE.into(),
            _ => ExitCode::FAILURE,
        }
    }
}

async fn live(
    args: &NodeArgs,
    trust: &Trust,
    tls: Option<Tls>,
    site: impl AsyncFnOnce(ServerConfig) -> Result<Site, SiteError>,
) -> Result<ExitCode, BadEnd> {
    let mut signals = Signals::hear().map_err(BadEnd::System)?;
    let mut node = tokio::select! {
        node = Node::start(args, trust, tls, site) => node?,
        name = signals.next() => {
            info!("{name} before the node had started");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let asked_to_leave = node.asked_to_leave.clone();
    let mut limits = Limits {
        grace: args.cluster.leave_grace,
        timeout: args.cluster.leave_timeout,
    };
    let exit_code = tokio::select! {
        reason = node.serve() => {
            error!("{reason}; the node leaves");
            // What is not well should not be relied on for longer than it must.
            limits.grace = Duration::ZERO;
            ExitCode::FAILURE
        }
        name = signals.next() => {
            info!("{name}; the node leaves");
            ExitCode::SUCCESS
        }
        () = asked_to_leave.cancelled() => ExitCode::SUCCESS,
    };
    tokio::select! {
        () = node.leave(limits, args.cluster.leave_spread) => Ok(exit_code),
        _ = signals.next() => Err(BadEnd::Cut),
    }
}

/// A node that runs.
struct Node {
    server: Server,
    acceptor: Acceptor,
    http: ActiveListener,
    fronts: Fronts,
    admin: AdminListener,
    readiness: Readiness,
    /// Cancelled when an operator asks over HTTP.
    asked_to_leave: CancellationToken,
    background: Option<RunningBackground>,
    _cluster_feed: AbortOnDropHandle<()>,
    _secrets: Option<AbortOnDropHandle<()>>,
    _certificate: Option<AbortOnDropHandle<()>>,
}

enum Fronts {
    /// Bound, and not listening before the node is *up*: else the kernel would send clients to a node that has them wait.
    Bound(Vec<BoundListener>),
    Active(Vec<ActiveListener>),
}

/// Why a node must go although nobody asked it to.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Fatal(#[from] Fatal),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl Node {
    async fn start(
        args: &NodeArgs,
        trust: &Trust,
        tls: Option<Tls>,
        site: impl AsyncFnOnce(ServerConfig) -> Result<Site, SiteError>,
    ) -> Result<Self, BadEnd> {
        info!(version = env!("CARGO_PKG_VERSION"), cluster = %args.cluster.address, seeds = args.cluster.seeds.join(","), "starting");
        if let Trust::Loopback = trust {
            warn!(
                "no cluster secret: whatever runs on this machine can join (--secret-file or HITHER_SECRET)"
            );
        }
        let open_files = rlimit::raise_open_files().unwrap_or_else(|error| {
            warn!(%error, "cannot raise the limit on open files; connections are not limited by it");
            None
        });
        let Site {
            server,
            pages,
            background,
        } = site(server_config(args, open_files.map(rlimit::for_clients)))
            .await
            .map_err(BadEnd::Site)?;
        let admin = BoundListener::bind(args.listen.admin(), Audience::Operators)?;
        let listener = BoundListener::bind(args.listen.http, Audience::Clients)?;
        let fronts = args
            .listen
            .fronts
            .iter()
            .map(|front| BoundListener::bind(*front, Audience::SharedClients))
            .collect::<Result<_, _>>()?;
        let http = listener.address();
        let server = server.start(cluster_config(args, trust, http)).await?;
        let readiness = Readiness::new(args.cluster.unready_alone && !args.cluster.seeds.is_empty());
        let asked_to_leave = CancellationToken::new();
        let cluster_feed = ClusterFeed::new(server.io());
        let operators = Operators {
            status: server.status(),
            io: server.io(),
            cluster_feed: cluster_feed.clone(),
            readiness: readiness.clone(),
        };
        let router = server
            .router()
            .merge(operators.public(args.listen.public_status))
            .merge(pages);
        let acceptor = Acceptor::new(router, server.gate().clone(), tls.clone());
        let names = HostNames::new(&args.listen.admin_hosts);
        let admin = AdminListener::start(admin, |end| {
            operators.admin(names, trust.clone(), asked_to_leave.clone(), end)
        })?;
        let listener = acceptor.serve(listener)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        info!("clients are served at {scheme}://{http}");
        let certificate = tls
            .map(|tls| {
                info!(fingerprint = tls.fingerprint(), "certificate read");
                follow_certificate(tls)
            })
            .transpose()
            .map_err(BadEnd::System)?;
        let background = background.map(|work| RunningBackground::start(work, server.io()));
        let cluster_feed = AbortOnDropHandle::new(tokio::spawn(cluster_feed.run()));
        let secrets = follow_secrets(trust, &args.cluster.secret_files).map_err(BadEnd::System)?;
        Ok(Self {
            server,
            acceptor,
            http: listener,
            fronts: Fronts::Bound(fronts),
            admin,
            readiness,
            asked_to_leave,
            background,
            _cluster_feed: cluster_feed,
            _secrets: secrets,
            _certificate: certificate,
        })
    }

    /// Serves clients, at the fronts too once the node is *up*, and completes when it must go.
    async fn serve(&mut self) -> Reason {
        let up = until_up(self.server.io().placements());
        tokio::select! {
            () = up => {}
            fatal = self.server.failed() => return fatal.into(),
        }
        match self.open_fronts() {
            Ok(()) => self.readiness.declare(),
            Err(error) => return error.into(),
        }
        self.server.failed().await.into()
    }

    fn open_fronts(&mut self) -> Result<(), ListenError> {
        if let Fronts::Bound(listeners) = &mut self.fronts {
            let open = |listener: BoundListener| {
                info!("clients are served at {}, too", listener.address());
                self.acceptor.serve(listener)
            };
            let listeners = mem::take(listeners)
                .into_iter()
                .map(open)
                .collect::<Result<_, _>>()?;
            self.fronts = Fronts::Active(listeners);
        }
        Ok(())
    }

    /// Sends clients elsewhere, hands over what it owns, and ends.
    async fn leave(self, mut limits: Limits, spread: Duration) {
        if is_alone(&self.server.io().placements().borrow()) {
            // No balancer has anywhere else to go.
            limits.grace = Duration::ZERO;
        }
        let fronts = match self.fronts {
            Fronts::Bound(_) => Vec::new(),
            Fronts::Active(listeners) => listeners,
        };
        let departure = Departure {
            server: &self.server,
            acceptor: &self.acceptor,
            readiness: &self.readiness,
            http: self.http,
            fronts,
        };
        departure.run(limits, spread).await;
        if let Some(background) = self.background {
            background.stop().await;
        }
        self.server.stop().await;
        self.admin.close().await;
        info!("the node has left");
    }
}

/// What the site does beside the server.
struct RunningBackground {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl RunningBackground {
    fn start(work: Background, io: Io) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(work(io, stop.clone())),
            stop,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            error!(%error, "the site's background task ended unexpectedly");
        }
    }
}

/// Whether no other node is there for this one's clients.
fn is_alone(placement: &Placement) -> bool {
    let view = placement.view();
    view.up().all(|member| member.id == view.me)
}

async fn until_up(mut placements: watch::Receiver<Arc<Placement>>) {
    let is_up = |placement: &Arc<Placement>| {
        let view = placement.view();
        view.up().any(|member| member.id == view.me)
    };
    // The sender lives as long as the server.
    drop(placements.wait_for(is_up).await.map(drop));
}

/// What operators and supervisors end a node with.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn hear() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
