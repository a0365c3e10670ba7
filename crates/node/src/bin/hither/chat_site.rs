//! The chat as the program `hither` serves it: its namespace, its HTTP routes, the page, and its store.

use std::{num::NonZeroU32, time::Duration};

use hither::{Server, ServerConfig};
use hither_chat::{Chat, ChatConfig};
use hither_node::{Site, SiteError, pages};
use hither_store::{Retention, StoreUrl};

use crate::{cli::ChatArgs, store};

/// What a node of the chat serves.
///
/// # Errors
/// When the store cannot be opened, or a namespace is not one.
pub(crate) async fn chat_site(
    config: ServerConfig,
    args: &ChatArgs,
    url: StoreUrl,
) -> Result<Site, SiteError> {
    let store = store::open(url).await?;
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
