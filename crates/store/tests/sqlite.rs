//! The store in a file of SQLite.

#![allow(unreachable_pub, reason = "modules of a test are shared by two")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "so a test fails"
)]

mod contract;
mod support;

use hither_store::{Store, StoreUrl};
use tempfile::TempDir;

use crate::contract::promises;

struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn url(&self) -> StoreUrl {
        // A name that needs care in a URL.
        let path = self.folder.path().join("chat %20?#ü.db");
        let text = format!("sqlite:{}", path.display());
        match StoreUrl::parse(&text) {
            Ok(url) => url,
            Err(error) => panic!("{error}"),
        }
    }

    async fn open(&self) -> Store {
        Store::open(&self.url()).await.unwrap()
    }
}

macro_rules! each {
    ($($module:ident::$promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let file = File::new();
                contract::$module::$promise(file.open().await).await;
            }
        )*
    };
}

promises!(each);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_open_together_agree() {
    contract::writers::open_together(&File::new().url()).await;
}
