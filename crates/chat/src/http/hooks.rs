//! Incoming webhooks.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use hither_store::{AuthorKind, ClientId};
use serde::Deserialize;

use super::{answer::accepted, visit::Body};
use crate::{
    accounts::Secret,
    messages::by_webhook,
    refusal::{Code, Refusal},
    request,
    service::Service,
    view::PersonView,
};

#[derive(Deserialize)]
pub(super) struct Say {
    text: String,
    id: Option<ClientId>,
}

/// Whoever knows the path says something.
pub(super) async fn say(
    State(chat): State<Arc<Service>>,
    Path(secret): Path<String>,
    Body(say): Body<Say>,
) -> Result<Response, Refusal> {
    let unknown = || Refusal::new(Code::NotFound, "There is no such webhook.");
    let secret = Secret::read(&secret).ok_or_else(unknown)?;
    let webhook = chat.store.webhook_by_secret(&secret.hash()).await?;
    let webhook = webhook.ok_or_else(unknown)?;
    let text = request::text(&say.text, chat.config.max_message_bytes)?;
    let id = say.id.unwrap_or_else(ClientId::random);
    let author = PersonView {
        name: webhook.name.clone(),
        kind: AuthorKind::Webhook,
    };
    Ok(accepted(chat.say(by_webhook(&webhook, id, text), author).await?))
}
