//! Incoming webhooks: who knows a secret path may say something in a room.

use hither_store::Webhook;
use serde::Serialize;

use crate::{
    accounts::Secret,
    actor::Actor,
    limits::Kind,
    refusal::Refusal,
    request::{self, InRoom, PersonInRoom, WebhookDelete},
    service::Service,
    view::WebhookView,
};

/// A webhook that was made, and its secret, for the only time.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    webhook: WebhookView,
    path: String,
}

/// The webhooks of a room.
#[derive(Debug, Serialize)]
pub(crate) struct Webhooks {
    webhooks: Vec<WebhookView>,
}

/// The path of a webhook, up to its secret.
const PATH: &str = "/api/hooks/";

impl Service {
    pub(crate) async fn create_webhook(&self, actor: &Actor, make: PersonInRoom) -> Result<Made, Refusal> {
        self.limits
            .take_shared(&self.store, actor.id, Kind::Joins, 1)
            .await?;
        self.moderates(make.room, actor.id).await?;
        let name = request::person_name(&make.name)?;
        let secret = Secret::random();
        let webhook = self
            .store
            .create_webhook(make.room, &name, &secret.hash())
            .await?;
        Ok(Made {
            webhook: webhook.into(),
            path: format!("{PATH}{}", secret.text()),
        })
    }

    pub(crate) async fn webhooks(&self, actor: &Actor, of: InRoom) -> Result<Webhooks, Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        self.moderates(of.room, actor.id).await?;
        let webhooks = self.store.webhooks(of.room).await?;
        Ok(Webhooks {
            webhooks: webhooks
                .into_iter()
                .map(|webhook: Webhook| webhook.into())
                .collect(),
        })
    }

    pub(crate) async fn delete_webhook(&self, actor: &Actor, delete: WebhookDelete) -> Result<(), Refusal> {
        self.limits.take(actor.id, Kind::Requests)?;
        self.moderates(delete.room, actor.id).await?;
        Ok(self.store.delete_webhook(delete.room, delete.id).await?)
    }
}
