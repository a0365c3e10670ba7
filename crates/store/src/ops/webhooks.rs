//! Incoming webhooks.

use sqlx::any::AnyRow;

use crate::{
    db::conn::Columns,
    error::{Conflict, Missing, StoreError},
    model::{
        ids::{RoomId, SecretHash, WebhookId},
        names::PersonName,
        room::Webhook,
    },
    ops::rooms::room,
    store::Store,
};

/// The most webhooks of a room.
const MOST: i64 = 50;

fn webhook(row: &AnyRow) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: WebhookId::from_raw(row.integer("id")?),
        room: RoomId::from_raw(row.integer("room")?),
        name: row.text("name")?,
    })
}

impl Store {
    /// Makes a webhook that says things in a room under a name, which need not be unique.
    ///
    /// # Errors
    /// [`Missing::Room`], [`Conflict::SecretUsed`], [`StoreError::Invalid`] when the room has 50 already.
    pub async fn create_webhook(
        &self,
        id: RoomId,
        name: &PersonName,
        secret: &SecretHash,
    ) -> Result<Webhook, StoreError> {
        self.write((id, name.clone(), *secret), |(id, name, secret), conn| {
            Box::pin(async move {
                room(conn, *id).await?;
                let statement = conn.statement("SELECT COUNT(*) AS count FROM webhooks WHERE room = $1");
                if conn.one(statement.bind(id.raw())).await?.integer("count")? >= MOST {
                    return Err(StoreError::Invalid(format!("a room may have {MOST} webhooks")));
                }
                let statement = conn.statement(
                    "INSERT INTO webhooks (id, room, name, secret, created) VALUES ($1, $2, $3, $4, {now}) \
                     ON CONFLICT DO NOTHING RETURNING id, room, name",
                );
                let statement = statement
                    .bind(WebhookId::random().raw())
                    .bind(id.raw())
                    .bind(name.as_str().to_owned())
                    .bind(secret.to_text());
                webhook(&conn.optional(statement).await?.ok_or(Conflict::SecretUsed)?)
            })
        })
        .await
    }

    /// The webhook of a secret.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn webhook_by_secret(&self, secret: &SecretHash) -> Result<Option<Webhook>, StoreError> {
        self.read(*secret, |secret, conn| {
            Box::pin(async move {
                let statement = conn.statement("SELECT id, room, name FROM webhooks WHERE secret = $1");
                let row = conn.optional(statement.bind(secret.to_text())).await?;
                row.map(|row| webhook(&row)).transpose()
            })
        })
        .await
    }

    /// The webhooks of a room, by name.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn webhooks(&self, room: RoomId) -> Result<Vec<Webhook>, StoreError> {
        self.read(room, |room, conn| {
            Box::pin(async move {
                let text = "SELECT id, room, name FROM webhooks WHERE room = $1 ORDER BY name, id";
                conn.all(conn.statement(text).bind(room.raw()))
                    .await?
                    .iter()
                    .map(webhook)
                    .collect()
            })
        })
        .await
    }

    /// Ends a webhook. What it has said stays.
    ///
    /// # Errors
    /// [`Missing::Webhook`].
    pub async fn delete_webhook(&self, room: RoomId, id: WebhookId) -> Result<(), StoreError> {
        self.write((room, id), |(room, id), conn| {
            Box::pin(async move {
                let text = "DELETE FROM webhooks WHERE room = $1 AND id = $2";
                match conn
                    .execute(conn.statement(text).bind(room.raw()).bind(id.raw()))
                    .await?
                {
                    0 => Err(Missing::Webhook.into()),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}
