//! The store in PostgreSQL. These need its server, as Debian's package `postgresql` has it: `scripts/test.sh --only store`.

#![allow(unreachable_pub, reason = "modules of a test are shared by two")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "so a test fails"
)]

mod contract;
mod support;

use hither_store::Store;

use crate::{contract::promises, support::postgres::Postgres};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test.sh --only store"]
async fn keeps_the_contract() {
    let postgres = Postgres::start();
    let mut failed = Vec::new();
    macro_rules! each {
        ($($module:ident::$promise:ident),* $(,)?) => {
            $(
                let store = Store::open(&postgres.database(stringify!($promise))).await.unwrap();
                let kept = tokio::spawn(async move {
                    contract::$module::$promise(store.clone()).await;
                    store.close().await;
                });
                if kept.await.is_err() {
                    failed.push(stringify!($promise));
                }
            )*
        };
    }
    promises!(each);
    contract::writers::open_together(&postgres.database("together")).await;
    assert!(failed.is_empty(), "PostgreSQL does not keep: {failed:?}");
}
