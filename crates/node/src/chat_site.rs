//! The chat as the program `hither` serves it: its namespace, its HTTP routes, the page, and its store.

use std::{env, io, num::NonZeroU32, path::PathBuf, time::Duration};

use hither::{Server, ServerConfig};
use hither_chat::{Chat, ChatConfig};
use hither_store::{OpenError, Retention, Store, StoreUrl, UrlError};
use tracing::info;

use crate::{ChatArgs, Site, SiteError, pages};

/// Where the password of the store is, unless in a file.
const PASSWORD_VARIABLE: &str = "HITHER_STORE_PASSWORD";

/// The store cannot be used.
#[derive(Debug, thiserror::Error)]
enum StoreFault {
    #[error("--store-password-file {path}: {source}")]
    PasswordFile { path: PathBuf, source: io::Error },
    #[error("--store: {0}")]
    Password(#[from] UrlError),
    #[error("--store {url}: {source}")]
    Open { url: String, source: OpenError },
}

/// What a node of the chat serves.
///
/// # Errors
/// When the store cannot be opened, or a namespace is not one.
pub async fn chat_site(config: ServerConfig, args: &ChatArgs) -> Result<Site, SiteError> {
    let store = open(args).await?;
    let (chat, start) = Chat::new(
        ChatConfig {
            max_message_bytes: args.max_message_bytes,
            guests: args.guests,
            trusted_proxies: config.admission.trusted_proxies.clone(),
            attempts_per_address: args.sign_in_limit,
            messages_per_second: args.message_rate,
            // As many as a usize has at least.
            max_upload_bytes: args.upload_limit as usize,
            retention: Retention {
                max_age: days(args.retain_days),
                max_count: NonZeroU32::new(args.retain_messages).map(|count| count.get().into()),
            },
            ..ChatConfig::default()
        },
        store.clone(),
    );
    let routes = chat.routes();
    let server = Server::builder()
        .config(config)
        .namespace(hither_chat::NAMESPACE, chat)?;
    Ok(Site::new(server)
        .pages(pages().merge(routes))
        .background(async move |io, stop| {
            let tasks = start.start(io);
            stop.cancelled().await;
            tasks.stop().await;
            store.close().await;
        }))
}

fn days(days: u32) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    (days > 0).then(|| DAY * days)
}

async fn open(args: &ChatArgs) -> Result<Store, StoreFault> {
    let url = with_password(args)?;
    info!(store = %url, "opening the store");
    Store::open(&url).await.map_err(|source| StoreFault::Open {
        url: url.to_string(),
        source,
    })
}

fn with_password(args: &ChatArgs) -> Result<StoreUrl, StoreFault> {
    let url = args.store.clone();
    let password = match &args.store_password_file {
        Some(path) => {
            let read = std::fs::read_to_string(path);
            Some(read.map_err(|source| StoreFault::PasswordFile {
                path: path.clone(),
                source,
            })?)
        }
        // One that is no text is none that this could send.
        None => env::var(PASSWORD_VARIABLE).ok(),
    };
    match password {
        Some(password) => Ok(url.with_password(password.trim_end_matches(['\r', '\n']))?),
        None => Ok(url),
    }
}
