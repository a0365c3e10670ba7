//! The handle of the store.

use std::{fmt, sync::Arc};

use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::{
    config::StoreUrl,
    db::{
        conn::Dialect,
        group::{self, Op, Writer},
        migrate,
        pools::{DEADLINE, Live, PAUSE, Pools, Use},
    },
    error::{OpenError, StoreError},
    model::rate::MessageLimits,
};

/// What the chat keeps. A handle: clones are of one store. Every call ends within 5 s, and goes well again by itself once the
/// store does.
#[derive(Clone)]
pub struct Store {
    pools: Arc<Pools>,
    writer: Writer,
    limits: Option<MessageLimits>,
}

impl Store {
    /// Opens the store, which is made if it is a file that is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When the store does not answer or was written by a newer version.
    pub async fn open(url: &StoreUrl) -> Result<Self, OpenError> {
        let pools = Arc::new(Pools::new(url.place())?);
        pools.search(&pools.live(), false).await;
        migrate::migrate(&pools).await?;
        let writer = Writer::start(&pools);
        Ok(Self {
            pools,
            writer,
            limits: None,
        })
    }

    /// The same store, for which what people and webhooks say is limited. The same on every node.
    #[must_use]
    pub fn with_limits(mut self, limits: MessageLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Whether the store answers and takes writes.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write((), |(), conn| {
            Box::pin(async move {
                let touched = conn.statement("UPDATE schema_steps SET step = step WHERE step = 1");
                conn.execute(touched).await?;
                Ok(())
            })
        })
        .await
    }

    /// Ends all connections. What is under way is waited for.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    pub(crate) fn limits(&self) -> Option<MessageLimits> {
        self.limits
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.pools.dialect
    }

    /// A transaction that writes. In SQLite, where there is one at a time, it shares it with others; PostgreSQL does that
    /// itself.
    pub(crate) async fn write<A, T>(&self, arguments: A, op: Op<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        match self.pools.dialect {
            Dialect::Sqlite => self.writer.call(arguments, op).await,
            Dialect::Postgres => self.within_deadline(&arguments, op, Scope::Writes).await,
        }
    }

    /// Reads that see one state of the store.
    pub(crate) async fn read<A, T>(&self, arguments: A, op: Op<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync,
    {
        self.within_deadline(&arguments, op, Scope::Reads).await
    }

    /// One statement that reads. It sees one state of the store by itself, and so waits for the database once, not three times.
    pub(crate) async fn read_one<A, T>(&self, arguments: A, op: Op<A, T>) -> Result<T, StoreError>
    where
        A: Send + Sync,
    {
        self.within_deadline(&arguments, op, Scope::OneRead).await
    }

    async fn within_deadline<A, T>(
        &self,
        arguments: &A,
        op: Op<A, T>,
        scope: Scope,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + DEADLINE;
        let mut refused = 0_u32;
        loop {
            let live = self.pools.live();
            let attempt = self.attempt(&live, arguments, op, scope);
            let late = || Failure::Sure(StoreError::unavailable("no answer in time"));
            let failure = match timeout_at(deadline, attempt)
                .await
                .unwrap_or_else(|_| Err(late()))
            {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let Failure::Sure(error) = failure else {
                return Err(failure.into_error());
            };
            refused += u32::from(matches!(error, StoreError::ReadOnly));
            // One that is read-only stays so, unless the connection was to a host that is no longer the right one.
            let hopeless = refused > 2 && !self.pools.has_choice();
            if !error.may_pass() || hopeless || Instant::now() + PAUSE >= deadline {
                if error.is_of_the_store() {
                    warn!(%error, ?error, "the store has failed");
                }
                return Err(error);
            }
            sleep(PAUSE).await;
            // Not found in time is said by the next attempt.
            drop(
                timeout_at(
                    deadline,
                    self.pools.search(&live, matches!(error, StoreError::ReadOnly)),
                )
                .await,
            );
        }
    }

    async fn attempt<A, T>(
        &self,
        live: &Live,
        arguments: &A,
        op: Op<A, T>,
        scope: Scope,
    ) -> Result<T, Failure> {
        let purpose = match scope {
            Scope::Writes => Use::Write,
            Scope::Reads | Scope::OneRead => Use::Read,
        };
        let mut lease = self.pools.acquire(live, purpose).await?;
        let mut conn = lease.conn()?;
        match (scope, conn.dialect) {
            (Scope::OneRead, _) => {}
            (Scope::Writes, _) => group::begin(&mut conn).await?,
            (Scope::Reads, Dialect::Sqlite) => conn.command("BEGIN").await?,
            (Scope::Reads, Dialect::Postgres) => {
                conn.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
            }
        }
        let outcome = op(arguments, &mut conn).await;
        let ended = match (&outcome, scope) {
            (Err(error), _) if error.is_of_the_store() => return outcome.map_err(Failure::Sure),
            (_, Scope::OneRead) => Ok(()),
            (Err(_), _) => conn.command("ROLLBACK").await.map_err(Failure::Sure),
            (Ok(_), Scope::Reads) => conn.command("COMMIT").await.map_err(Failure::Sure),
            (Ok(_), Scope::Writes) => conn.command("COMMIT").await.map_err(Failure::Unsure),
        };
        ended?;
        lease.release();
        outcome.map_err(Failure::Sure)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dialect", &self.pools.dialect)
            .finish_non_exhaustive()
    }
}

/// What an operation does in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// A transaction that writes.
    Writes,
    /// A transaction of several statements that read.
    Reads,
    /// One statement that reads.
    OneRead,
}

/// Why a transaction failed.
enum Failure {
    /// Nothing of it was done.
    Sure(StoreError),
    /// Perhaps it was: the connection broke while it was committed.
    Unsure(StoreError),
}

impl Failure {
    fn into_error(self) -> StoreError {
        match self {
            Self::Sure(error) | Self::Unsure(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Sure(error)
    }
}
