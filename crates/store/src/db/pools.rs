//! Connections to the database, also after it has moved to another host.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sqlx::{
    AnyConnection, AnyPool, ConnectOptions, Connection,
    any::{Any, AnyConnectOptions, AnyPoolOptions},
    pool::PoolConnection,
};
use tokio::{sync::Mutex, time::timeout};
use tracing::{info, warn};

use crate::{
    config::{Place, host_of},
    db::conn::{Conn, Dialect},
    error::StoreError,
};

/// How long a call may take in all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// Between two attempts while the store does not answer.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take to come up. Of several hosts, one that is silent must not take all the time there is.
const CONNECT: Duration = Duration::from_millis(1500);
/// Connections of a node that read.
const READERS: u32 = 6;
/// Connections of a node that write to PostgreSQL. In SQLite there is one writer at a time.
const WRITERS: u32 = 6;

/// What a connection of SQLite begins with. Durable means here: also when the power fails. Who waits for another process to
/// write does it in [`crate::db::group`], in shorter steps than SQLite's own.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
    PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16000; PRAGMA mmap_size = 268435456";
/// What reads waits while the file recovers from a crash, and never writes.
const SQLITE_READER: &str = "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON";
/// What a connection of PostgreSQL begins with. The server ends by itself what nobody waits for any more, and plans each time
/// anew: a plan that was made for a small table reads all of it, and would be kept when the table has grown.
const POSTGRES_SETUP: &str = "SET statement_timeout = '4500ms'; SET lock_timeout = '4500ms';
    SET idle_in_transaction_session_timeout = '5s'; SET application_name = 'hither';
    SET plan_cache_mode = 'force_custom_plan'";

/// For what a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

/// The connections to one host.
pub(crate) struct Live {
    read: AnyPool,
    write: AnyPool,
    host: usize,
}

/// The connections to the store, wherever it is now.
pub(crate) struct Pools {
    pub(crate) dialect: Dialect,
    hosts: Vec<AnyConnectOptions>,
    /// Whether only a host that takes writes will do.
    writable: bool,
    live: RwLock<Arc<Live>>,
    search: Mutex<()>,
}

/// A connection that goes back to its pool when it is released, and is closed when it is dropped: something may be under way
/// on it.
pub(crate) struct Lease {
    connection: Option<PoolConnection<Any>>,
    dialect: Dialect,
}

impl Lease {
    pub(crate) fn conn(&mut self) -> Result<Conn<'_>, StoreError> {
        let any = self
            .connection
            .as_deref_mut()
            .ok_or_else(|| StoreError::unavailable("closed"))?;
        Ok(Conn {
            any,
            dialect: self.dialect,
        })
    }

    /// Nothing is under way.
    pub(crate) fn release(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

/// A connection of its own for what takes long, without the limits of others.
pub(crate) struct Maintenance {
    connection: AnyConnection,
    dialect: Dialect,
}

impl Maintenance {
    pub(crate) fn conn(&mut self) -> Conn<'_> {
        Conn {
            any: &mut self.connection,
            dialect: self.dialect,
        }
    }

    pub(crate) async fn close(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }
}

impl Pools {
    pub(crate) fn new(place: &Place) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (dialect, hosts, writable) = match place {
            Place::Sqlite(path) => {
                let path = encode(&path.to_string_lossy());
                let options = format!("sqlite:{path}?mode=rwc").parse::<AnyConnectOptions>()?;
                (Dialect::Sqlite, vec![options], true)
            }
            Place::Postgres { hosts, writable } => (Dialect::Postgres, hosts.to_vec(), *writable),
        };
        // What is said in the store does not belong into a log.
        let hosts: Vec<_> = hosts
            .into_iter()
            .map(ConnectOptions::disable_statement_logging)
            .collect();
        let live = Arc::new(Live::new(dialect, &hosts, 0, writable));
        Ok(Self {
            dialect,
            hosts,
            writable,
            live: RwLock::new(live),
            search: Mutex::new(()),
        })
    }

    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn acquire(&self, live: &Live, purpose: Use) -> Result<Lease, StoreError> {
        let pool = match purpose {
            Use::Read => &live.read,
            Use::Write => &live.write,
        };
        Ok(Lease {
            connection: Some(pool.acquire().await?),
            dialect: self.dialect,
        })
    }

    /// Whether the database may be found on another host.
    pub(crate) fn has_choice(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Looks which host takes writes now, after something has failed with the connections of `failed`; `read_only` when it was
    /// that they take none.
    pub(crate) async fn search(&self, failed: &Arc<Live>, read_only: bool) {
        if self.dialect == Dialect::Sqlite {
            return;
        }
        let _searching = self.search.lock().await;
        if !Arc::ptr_eq(&self.live(), failed) {
            // Somebody else has found it meanwhile.
            return;
        }
        if !self.has_choice() {
            // Behind one address another server may be by now, which connections that are up do not know.
            if read_only {
                self.switch_to(failed.host);
            }
            return;
        }
        for step in 0..self.hosts.len() {
            let host = (failed.host + step) % self.hosts.len();
            match self.accepts(host).await {
                Ok(true) if host == failed.host => return,
                Ok(true) => {
                    info!(host = host_of(&self.hosts[host]), "the store has moved");
                    return self.switch_to(host);
                }
                Ok(false) => {}
                Err(error) => {
                    warn!(host = host_of(&self.hosts[host]), %error, "a host of the store does not answer")
                }
            }
        }
    }

    /// New connections from now on. The former ones end with those who use them.
    fn switch_to(&self, host: usize) {
        let live = Arc::new(Live::new(self.dialect, &self.hosts, host, self.writable));
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    async fn accepts(&self, host: usize) -> Result<bool, StoreError> {
        let asked = async {
            let mut connection = AnyConnection::connect_with(&self.hosts[host]).await?;
            Ok(!self.writable || takes_writes(&mut connection).await?)
        };
        timeout(CONNECT, asked)
            .await
            .unwrap_or_else(|_| Err(StoreError::unavailable("silent")))
    }

    pub(crate) async fn maintenance(&self) -> Result<Maintenance, StoreError> {
        let dialect = self.dialect;
        let host = self.live().host;
        let mut connection = AnyConnection::connect_with(&self.hosts[host]).await?;
        if dialect == Dialect::Sqlite {
            sqlx::raw_sql(SQLITE_SETUP).execute(&mut connection).await?;
        }
        Ok(Maintenance { connection, dialect })
    }

    pub(crate) async fn close(&self) {
        self.live().close().await;
    }
}

impl Live {
    fn new(dialect: Dialect, hosts: &[AnyConnectOptions], host: usize, writable: bool) -> Self {
        let pool = |purpose, size| {
            AnyPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(DEADLINE - Duration::from_millis(500))
                // A broken one is noticed when it is used, and another is taken.
                .test_before_acquire(false)
                .after_connect(move |connection, _| Box::pin(prepare(connection, dialect, purpose, writable)))
                .connect_lazy_with(hosts[host].clone())
        };
        let writers = if dialect == Dialect::Sqlite { 1 } else { WRITERS };
        Self {
            read: pool(Use::Read, READERS),
            write: pool(Use::Write, writers),
            host,
        }
    }

    async fn close(&self) {
        // Connections that hang are not waited for: who uses one of them has a deadline.
        let closed = async { tokio::join!(self.read.close(), self.write.close()) };
        if timeout(DEADLINE, closed).await.is_err() {
            warn!("connections of the store did not end in time");
        }
    }
}

async fn prepare(
    connection: &mut AnyConnection,
    dialect: Dialect,
    purpose: Use,
    writable: bool,
) -> Result<(), sqlx::Error> {
    match dialect {
        Dialect::Sqlite => {
            sqlx::raw_sql(SQLITE_SETUP).execute(&mut *connection).await?;
            if purpose == Use::Read {
                sqlx::raw_sql(SQLITE_READER).execute(connection).await?;
            }
        }
        Dialect::Postgres => {
            sqlx::raw_sql(POSTGRES_SETUP).execute(&mut *connection).await?;
            if writable && !takes_writes(connection).await? {
                return Err(sqlx::Error::Io(std::io::Error::other("this host is a standby")));
            }
        }
    }
    Ok(())
}

async fn takes_writes(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let asked = "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'";
    sqlx::query_scalar(asked).fetch_one(connection).await
}

/// A path as part of a URL.
fn encode(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
