//! What all clients of one run share. They live on one thread.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Error, Result};
use tokio::sync::Notify;

use super::{Outcome, Target};
use crate::{
    delivery::{Checker, Faults, StreamId},
    latency::Latencies,
    process::Processes,
};

/// How long what is under way at the end may take to arrive.
const DRAIN: Duration = Duration::from_secs(5);

/// How often it is looked whether it has.
const DRAIN_STEP: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    Draining,
}

/// A receiver, and what it is to hear.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// The streams that it is to hear.
    pub(crate) streams: Vec<StreamId>,
    /// What it heard.
    pub(crate) checker: RefCell<Checker>,
}

/// The state of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// When it began; stamps count from it.
    pub(crate) begin: Instant,
    /// Tells clients to leave.
    pub(crate) leave: Notify,
    phase: Cell<Phase>,
    latencies: RefCell<Latencies>,
    /// Messages sent whose answer has not come.
    outstanding: Cell<u64>,
    /// Deliveries that are to come, less those that came.
    deliveries_due: Cell<i64>,
    published: RefCell<HashMap<StreamId, u64>>,
    listeners: RefCell<Vec<Rc<Listener>>>,
    failures: RefCell<Vec<Error>>,
}

impl Run {
    /// A run that begins now.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            begin: Instant::now(),
            leave: Notify::new(),
            phase: Cell::new(Phase::WarmUp),
            latencies: RefCell::default(),
            outstanding: Cell::default(),
            deliveries_due: Cell::default(),
            published: RefCell::default(),
            listeners: RefCell::default(),
            failures: RefCell::default(),
        })
    }

    /// Whether clients send.
    pub(crate) fn sends(&self) -> bool {
        self.phase.get() != Phase::Draining
    }

    /// A new receiver of these streams.
    pub(crate) fn listener(&self, streams: Vec<StreamId>) -> Rc<Listener> {
        let listener = Rc::new(Listener {
            streams,
            checker: RefCell::default(),
        });
        self.listeners.borrow_mut().push(Rc::clone(&listener));
        listener
    }

    /// A message was sent that will have an answer.
    pub(crate) fn asked(&self) {
        self.outstanding.set(self.outstanding.get() + 1);
    }

    /// An answer has come.
    pub(crate) fn answered(&self) {
        self.outstanding.set(self.outstanding.get() - 1);
    }

    /// The next message of `stream` was sent, which `receivers` are to hear; gives its number.
    pub(crate) fn published(&self, stream: StreamId, receivers: usize) -> u64 {
        self.deliveries_due
            .set(self.deliveries_due.get() + receivers as i64);
        let mut published = self.published.borrow_mut();
        let count = published.entry(stream).or_default();
        *count += 1;
        *count - 1
    }

    /// A message was delivered.
    pub(crate) fn delivered(&self) {
        self.deliveries_due.set(self.deliveries_due.get() - 1);
    }

    /// A unit took `latency`.
    pub(crate) fn unit(&self, latency: Duration) {
        if self.phase.get() == Phase::Measuring {
            self.latencies.borrow_mut().push(latency);
        }
    }

    /// A client failed.
    pub(crate) fn failed(&self, error: Error) {
        self.failures.borrow_mut().push(error);
    }

    /// Measures for as long as `target` says and `during` takes, then waits for what is under way.
    pub(crate) async fn measure(
        &self,
        target: &Target,
        during: impl Future<Output = Result<()>>,
    ) -> Result<Outcome> {
        tokio::time::sleep(target.warm_up).await;
        self.phase.set(Phase::Measuring);
        let meter = Meter::start(&target.processes)?;
        let (done, ()) = tokio::join!(during, tokio::time::sleep(target.measure));
        done?;
        let mut outcome = meter.stop(self.latencies.take())?;
        self.phase.set(Phase::Draining);
        self.drain().await;
        outcome.faults = self.faults();
        self.tell_failures(&mut outcome);
        Ok(outcome)
    }

    /// Puts all failures until now into `outcome`.
    pub(crate) fn tell_failures(&self, outcome: &mut Outcome) {
        let failures = self.failures.borrow();
        outcome.failures = failures.len() as u64;
        outcome.first_failure = failures.first().map(|error| format!("{error:#}"));
    }

    async fn drain(&self) {
        let deadline = Instant::now() + DRAIN;
        while (self.outstanding.get() > 0 || self.deliveries_due.get() > 0) && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    fn faults(&self) -> Faults {
        let published = self.published.borrow();
        let mut all = Faults::default();
        for listener in self.listeners.borrow().iter() {
            let due = listener.streams.iter().map(|stream| {
                let count = published.get(stream).copied().unwrap_or_default();
                (*stream, count)
            });
            all.add(listener.checker.borrow().faults(due));
        }
        // An answer that did not come is lost, too.
        all.lost += self.outstanding.get();
        all
    }
}

/// Measures CPU time over a stretch of wall time.
pub(crate) struct Meter<'a> {
    servers: &'a Processes,
    servers_before: Duration,
    own_before: Duration,
    began: Instant,
}

impl<'a> Meter<'a> {
    /// Begins.
    pub(crate) fn start(servers: &'a Processes) -> Result<Self> {
        Ok(Self {
            servers,
            servers_before: servers.cpu()?,
            own_before: Processes::own().cpu()?,
            began: Instant::now(),
        })
    }

    /// Ends; each of `latencies` is of one unit done meanwhile.
    pub(crate) fn stop(self, latencies: Latencies) -> Result<Outcome> {
        let seconds = self.began.elapsed().as_secs_f64();
        let servers = self.servers.cpu()?.saturating_sub(self.servers_before);
        let own = Processes::own().cpu()?.saturating_sub(self.own_before);
        let units = latencies.len();
        Ok(Outcome {
            units,
            per_second: units as f64 / seconds,
            server_cpu_micros: servers.as_secs_f64() * 1e6 / units.max(1) as f64,
            own_cpu: own.as_secs_f64() / seconds,
            latency: latencies.percentiles(),
            ..Outcome::default()
        })
    }
}
