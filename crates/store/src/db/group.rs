//! Writes in groups: what has gathered while the last transaction ran is the next one, so that many writes share the one
//! wait for the disk. Each write in it succeeds or fails for itself.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout_at},
};
use tracing::{error, warn};

use crate::{
    db::{
        conn::{Conn, Dialect},
        pools::{DEADLINE, Live, PAUSE, Pools, Use},
    },
    error::StoreError,
    model::{
        message::{Appended, NewMessage},
        rate::MessageLimits,
    },
    ops::append::{self, Append},
};

/// Writes that wait. Who comes when so many wait waits for a place.
const QUEUE: usize = 4096;
/// Writes of one transaction.
const GROUP: usize = 256;

/// What a write does, in a transaction. It may be called again when the transaction failed.
pub(crate) type Op<A, T> = for<'a> fn(&'a A, &'a mut Conn<'_>) -> BoxFuture<'a, Result<T, StoreError>>;

/// What became of a job in a transaction that goes on.
enum Verdict {
    Done,
    /// What it has written is undone.
    Refused,
}

/// A write whose kind the group does not know.
trait Job: Send {
    /// Fails only with what ends the transaction.
    fn run<'a>(&'a mut self, conn: &'a mut Conn<'_>) -> BoxFuture<'a, Result<Verdict, StoreError>>;
    /// The transaction is committed.
    fn finish(self: Box<Self>);
    /// It is not.
    fn fail(self: Box<Self>, error: StoreError);
    /// Whether somebody waits for it.
    fn is_wanted(&self) -> bool;
}

struct Call<A, T> {
    arguments: A,
    op: Op<A, T>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<A: Send + Sync, T: Send> Job for Call<A, T> {
    fn run<'a>(&'a mut self, conn: &'a mut Conn<'_>) -> BoxFuture<'a, Result<Verdict, StoreError>> {
        Box::pin(async move {
            let outcome = (self.op)(&self.arguments, conn).await;
            let verdict = match &outcome {
                Err(error) if error.is_of_the_store() => return Err(error.clone()),
                Err(_) => Verdict::Refused,
                Ok(_) => Verdict::Done,
            };
            self.outcome = Some(outcome);
            Ok(verdict)
        })
    }

    fn finish(self: Box<Self>) {
        let outcome = self
            .outcome
            .unwrap_or_else(|| Err(StoreError::unavailable("never begun")));
        // Who asked may have gone.
        drop(self.reply.send(outcome));
    }

    fn fail(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }

    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }
}

/// One write that waits.
enum Item {
    Append(Append),
    Job(Box<dyn Job>),
}

impl Item {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Append(append) => append.is_wanted(),
            Self::Job(job) => job.is_wanted(),
        }
    }

    fn fail(self, error: StoreError) {
        match self {
            Self::Append(append) => append.fail(error),
            Self::Job(job) => job.fail(error),
        }
    }
}

/// Takes writes. The task behind it ends with the last clone, when what waits is done.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<(Instant, Item)>,
}

impl Writer {
    pub(crate) fn start(pools: &Arc<Pools>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(Arc::downgrade(pools), waiting));
        Self { queue }
    }

    pub(crate) async fn call<A, T>(&self, arguments: A, op: Op<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Call {
            arguments,
            op,
            outcome: None,
            reply,
        };
        self.submit(Item::Job(Box::new(job)), answer).await
    }

    pub(crate) async fn append(
        &self,
        message: NewMessage,
        limits: Option<MessageLimits>,
    ) -> Result<Appended, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Item::Append(Append::new(message, limits, reply)), answer)
            .await
    }

    async fn submit<T>(
        &self,
        item: Item,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + DEADLINE;
        let answered = async {
            let closed = || StoreError::unavailable("closed");
            self.queue.send((deadline, item)).await.map_err(|_| closed())?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        };
        timeout_at(deadline, answered)
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable("no answer in time")))
    }
}

/// Ends when nobody can ask any more. `pools` is gone only then.
async fn run(pools: Weak<Pools>, mut waiting: mpsc::Receiver<(Instant, Item)>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let Some(pools) = pools.upgrade() else { return };
        let deadline = group
            .iter()
            .map(|(deadline, _)| *deadline)
            .min()
            .unwrap_or_else(Instant::now);
        let items = group.drain(..).map(|(_, item)| item).collect();
        // Who asked gives up at the deadline. What is said shortly before it reaches them.
        let written = AssertUnwindSafe(write(&pools, items, deadline - PAUSE))
            .catch_unwind()
            .await;
        if written.is_err() {
            // Who waits for one of them is told that it is not done; what comes after them is.
            error!("a write has panicked");
        }
    }
}

/// Writes all that can be written until the deadline.
async fn write(pools: &Pools, mut items: Vec<Item>, deadline: Instant) {
    let mut attempts = 0_u32;
    loop {
        // Who has gone is not served: what was answered with an error is, if possible, not done.
        items.retain(Item::is_wanted);
        if items.is_empty() {
            return;
        }
        let live = pools.live();
        let attempt = timeout_at(deadline, transaction(pools, &live, &mut items)).await;
        attempts += 1;
        let error = match attempt {
            Ok(Ok(())) => return items.into_iter().for_each(finish),
            Ok(Err(error)) => error,
            Err(_) => StoreError::unavailable("the transaction was not done in time"),
        };
        if error.may_pass() {
            // One that is read-only stays so, unless the connection was to a host that is no longer the right one.
            let hopeless = matches!(error, StoreError::ReadOnly) && attempts > 2 && !pools.has_choice();
            if hopeless || Instant::now() + PAUSE >= deadline {
                warn!(%error, ?error, writes = items.len(), "the store is not writable");
                return items.into_iter().for_each(|item| item.fail(error.clone()));
            }
            sleep(PAUSE).await;
            pools.search(&live, matches!(error, StoreError::ReadOnly)).await;
        } else if items.len() > 1 {
            // Perhaps it is one of them only.
            for item in items {
                Box::pin(write(pools, vec![item], deadline)).await;
            }
            return;
        } else {
            warn!(%error, ?error, "the store has not taken a write");
            return items.into_iter().for_each(|item| item.fail(error.clone()));
        }
    }
}

fn finish(item: Item) {
    match item {
        Item::Append(append) => append.finish(),
        Item::Job(job) => job.finish(),
    }
}

/// All of them, or none.
async fn transaction(pools: &Pools, live: &Live, items: &mut [Item]) -> Result<(), StoreError> {
    let mut lease = pools.acquire(live, Use::Write).await?;
    let mut conn = lease.conn()?;
    begin(&mut conn).await?;
    let mut appends: Vec<&mut Append> = Vec::new();
    let mut jobs = Vec::new();
    for item in items {
        match item {
            Item::Append(append) => appends.push(append),
            Item::Job(job) => jobs.push(job),
        }
    }
    if !appends.is_empty() {
        append::run(&mut conn, &mut appends).await?;
    }
    for job in jobs {
        conn.command("SAVEPOINT job").await?;
        match job.run(&mut conn).await? {
            Verdict::Done => conn.command("RELEASE SAVEPOINT job").await?,
            Verdict::Refused => {
                conn.command("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job")
                    .await?
            }
        }
    }
    conn.command("COMMIT").await?;
    lease.release();
    Ok(())
}

/// Begins a transaction that writes. In SQLite it waits for other processes that do, in steps of about a transaction's length;
/// SQLite's own steps soon take 100 ms.
pub(crate) async fn begin(conn: &mut Conn<'_>) -> Result<(), StoreError> {
    match conn.dialect {
        Dialect::Postgres => conn.command("BEGIN").await,
        Dialect::Sqlite => {
            while !conn.lock("BEGIN IMMEDIATE").await? {
                sleep(Duration::from_micros(rand::random_range(500..2500))).await;
            }
            Ok(())
        }
    }
}
