//! The schema, and how it came to be: steps that are done once, by whichever node starts first.
//!
//! To change the schema, add a step to both lists. A step that has been released is never changed.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::info;

use crate::{
    db::{
        conn::{Columns, Conn, Dialect},
        group::begin,
        pools::{Pools, Use},
    },
    error::{OpenError, StoreError},
};

const SQLITE: &[&str] = &[include_str!("../schema/sqlite-1.sql")];
const POSTGRES: &[&str] = &[include_str!("../schema/postgres-1.sql")];

/// Whoever migrates a database of PostgreSQL holds this advisory lock; the number means nothing.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4846211907)";
/// How long the nodes that start wait for the one that migrates.
const PATIENCE: Duration = Duration::from_secs(60);

/// Brings the schema to what this program knows.
pub(crate) async fn migrate(pools: &Pools) -> Result<(), OpenError> {
    let late = |_| Err(StoreError::unavailable("another node holds the lock for too long").into());
    timeout(PATIENCE, locked(pools)).await.unwrap_or_else(late)
}

async fn locked(pools: &Pools) -> Result<(), OpenError> {
    let mut lease = pools.acquire(&pools.live(), Use::Write).await?;
    let mut conn = lease.conn()?;
    match pools.dialect {
        Dialect::Sqlite => {
            while !conn.lock("PRAGMA journal_mode = WAL").await? {
                sleep(Duration::from_millis(5)).await;
            }
            begin(&mut conn).await?;
        }
        Dialect::Postgres => {
            conn.command("BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
                .await?;
            conn.command(LOCK).await?;
        }
    }
    step_by_step(&mut conn).await?;
    conn.command("COMMIT").await?;
    lease.release();
    Ok(())
}

async fn step_by_step(conn: &mut Conn<'_>) -> Result<(), OpenError> {
    let steps = match conn.dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    conn.command("CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT NOT NULL PRIMARY KEY)")
        .await?;
    let found = version(conn).await?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::NewerSchema { found, known });
    }
    for (step, sql) in (1..).zip(steps) {
        if step > found {
            conn.command(sql).await?;
            let done = conn.statement("INSERT INTO schema_steps (step) VALUES ($1)");
            conn.execute(done.bind(step)).await?;
            info!(step, "store schema created");
        }
    }
    Ok(())
}

/// How many steps the store has seen.
pub(crate) async fn version(conn: &mut Conn<'_>) -> Result<i64, StoreError> {
    let asked = conn.statement("SELECT COALESCE(MAX(step), 0) AS step FROM schema_steps");
    conn.one(asked).await?.integer("step")
}
