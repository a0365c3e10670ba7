//! Login sessions.

use std::time::Duration;

use sqlx::any::AnyRow;

use crate::{
    db::conn::{Columns, Conn, unreadable},
    error::{Conflict, Missing, StoreError},
    model::{
        ids::{PersonId, SecretHash, Timestamp},
        person::{EndedLogins, Login, LoginLimits, Person, Purged},
    },
    ops::{
        persons::{self, DeletedPerson},
        rows::{self, PERSON, check_text},
    },
    store::Store,
};

/// How old `last_seen` may be before it is renewed: a write for each request would be a waste.
const TOUCH: Duration = Duration::from_secs(60);
/// How many go in one transaction when they have expired.
const PURGE: u32 = 500;
/// Bytes of a label.
const MAX_LABEL: usize = 200;

const LOGIN: &str = "logins.id AS login_id, logins.person AS login_person, logins.label AS login_label, \
    logins.created AS login_created, logins.last_seen AS login_seen, logins.idle AS login_idle, \
    logins.expires AS login_expires";

fn login(row: &AnyRow) -> Result<Login, StoreError> {
    let id = row.text("login_id")?;
    let seen = row.integer("login_seen")?;
    let idle_ends = seen.saturating_add(row.integer("login_idle")?);
    Ok(Login {
        id: SecretHash::from_text(&id).ok_or_else(|| unreadable("hash", &id))?,
        person: PersonId::from_raw(row.integer("login_person")?),
        label: row.text("login_label")?,
        created: Timestamp(row.integer("login_created")?),
        last_seen: Timestamp(seen),
        expires: Timestamp(row.integer("login_expires")?.min(idle_ends)),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis())
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4)
}

impl Store {
    /// Begins a login session of a person.
    ///
    /// # Errors
    /// [`Missing::Person`], [`Conflict::SecretUsed`], [`StoreError::Invalid`] when the label is longer than 200 bytes.
    pub async fn create_login(
        &self,
        id: &SecretHash,
        person: PersonId,
        limits: LoginLimits,
        label: &str,
    ) -> Result<Login, StoreError> {
        check_text("a login's label", label, MAX_LABEL)?;
        self.write(
            (*id, person, limits, label.to_owned()),
            |(id, person, limits, label), conn| {
                Box::pin(async move {
                    persons::person(*person, conn).await?;
                    let statement = conn.statement(
                        "INSERT INTO logins (id, person, label, created, last_seen, idle, expires) \
                     VALUES ($1, $2, $3, {now}, {now}, $4, {now} + $5) ON CONFLICT DO NOTHING",
                    );
                    let statement = statement
                        .bind(id.to_text())
                        .bind(person.raw())
                        .bind(label.clone())
                        .bind(millis(limits.idle))
                        .bind(millis(limits.absolute));
                    if conn.execute(statement).await? == 0 {
                        return Err(Conflict::SecretUsed.into());
                    }
                    let statement = conn.statement(&format!("SELECT {LOGIN} FROM logins WHERE id = $1"));
                    login(&conn.one(statement.bind(id.to_text())).await?)
                })
            },
        )
        .await
    }

    /// A login session that has not ended, and whose it is. It counts as used.
    ///
    /// # Errors
    /// What can befall the store. A store that takes no writes still knows who is signed in.
    pub async fn use_login(&self, id: &SecretHash) -> Result<Option<(Login, Person)>, StoreError> {
        let found = self
            .read(*id, |id, conn| {
                Box::pin(async move {
                    let statement = conn.statement(&format!(
                        "SELECT {LOGIN}, {PERSON}, {{now}} AS now FROM logins \
                         JOIN persons ON persons.id = logins.person \
                         WHERE logins.id = $1 AND expires > {{now}} AND last_seen + idle > {{now}}"
                    ));
                    match conn.optional(statement.bind(id.to_text())).await? {
                        Some(row) => Ok(Some((login(&row)?, rows::person(&row)?, row.integer("now")?))),
                        None => Ok(None),
                    }
                })
            })
            .await?;
        let Some((login, person, now)) = found else {
            return Ok(None);
        };
        if now - login.last_seen.0 >= millis(TOUCH) {
            let touched = self
                .write(*id, |id, conn| {
                    Box::pin(async move {
                        let statement = conn.statement("UPDATE logins SET last_seen = {now} WHERE id = $1");
                        conn.execute(statement.bind(id.to_text())).await
                    })
                })
                .await;
            match touched {
                // It ended in between.
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a login session is not renewed"),
            }
        }
        Ok(Some((login, person)))
    }

    /// The login sessions of a person that have not ended, the last used first.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn logins(&self, person: PersonId) -> Result<Vec<Login>, StoreError> {
        self.read(person, |person, conn| {
            Box::pin(async move {
                let statement = conn.statement(&format!(
                    "SELECT {LOGIN} FROM logins WHERE person = $1 AND expires > {{now}} \
                     AND last_seen + idle > {{now}} ORDER BY last_seen DESC, id"
                ));
                conn.all(statement.bind(person.raw()))
                    .await?
                    .iter()
                    .map(login)
                    .collect()
            })
        })
        .await
    }

    /// Ends a login session; a guest, who is given back then, goes with the last one.
    ///
    /// # Errors
    /// [`Missing::Login`].
    pub async fn end_login(&self, id: &SecretHash) -> Result<Option<DeletedPerson>, StoreError> {
        self.write(*id, |id, conn| {
            Box::pin(async move {
                let statement = conn.statement("DELETE FROM logins WHERE id = $1 RETURNING person");
                let row = conn
                    .optional(statement.bind(id.to_text()))
                    .await?
                    .ok_or(Missing::Login)?;
                remove_guest(PersonId::from_raw(row.integer("person")?), conn).await
            })
        })
        .await
    }

    /// Ends all login sessions of a person, but perhaps one; a guest goes with the last one.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn end_logins(
        &self,
        person: PersonId,
        except: Option<&SecretHash>,
    ) -> Result<EndedLogins, StoreError> {
        self.write((person, except.copied()), |(person, except), conn| {
            Box::pin(async move {
                let except = except.map(SecretHash::to_text).unwrap_or_default();
                let statement =
                    conn.statement("DELETE FROM logins WHERE person = $1 AND id <> $2 RETURNING id");
                let rows = conn.all(statement.bind(person.raw()).bind(except)).await?;
                Ok(EndedLogins {
                    logins: rows.iter().map(|row| hash(row, "id")).collect::<Result<_, _>>()?,
                    guest: remove_guest(*person, conn).await?,
                })
            })
        })
        .await
    }

    /// Removes up to 500 login sessions that have expired, and guests who have none. Ask again while there are many.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn purge_logins(&self) -> Result<Purged, StoreError> {
        self.write((), |(), conn| {
            Box::pin(async move {
                let statement = conn.statement(&format!(
                    "DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE expires <= {{now}} \
                     OR last_seen + idle <= {{now}} LIMIT {PURGE}) RETURNING id"
                ));
                let rows = conn.all(statement).await?;
                let mut purged = Purged::default();
                for row in &rows {
                    purged.logins.push(hash(row, "id")?);
                }
                // Who has only just come has their first login session in a moment.
                let guests = conn.statement(&format!(
                    "SELECT id FROM persons WHERE kind = 'guest' AND created < {{now}} - 60000 \
                     AND NOT EXISTS (SELECT 1 FROM logins WHERE logins.person = persons.id) LIMIT {PURGE}"
                ));
                for row in conn.all(guests).await? {
                    let guest = PersonId::from_raw(row.integer("id")?);
                    purged.guests.push(persons::delete(guest, conn).await?);
                }
                Ok(purged)
            })
        })
        .await
    }
}

fn hash(row: &AnyRow, column: &str) -> Result<SecretHash, StoreError> {
    let text = row.text(column)?;
    SecretHash::from_text(&text).ok_or_else(|| unreadable("hash", &text))
}

/// Removes a guest who has no login session.
async fn remove_guest(person: PersonId, conn: &mut Conn<'_>) -> Result<Option<DeletedPerson>, StoreError> {
    let statement = conn.statement(
        "SELECT id FROM persons WHERE id = $1 AND kind = 'guest' \
         AND NOT EXISTS (SELECT 1 FROM logins WHERE logins.person = persons.id)",
    );
    match conn.optional(statement.bind(person.raw())).await? {
        Some(_) => persons::delete(person, conn).await.map(Some),
        None => Ok(None),
    }
}
