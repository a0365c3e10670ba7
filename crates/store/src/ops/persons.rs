//! People.

use crate::{
    db::conn::{Columns, Conn},
    error::{Conflict, Missing, StoreError},
    model::{
        ids::{PersonId, RoomId, SecretHash},
        names::{NameKeys, PersonName},
        person::{Person, PersonKind},
        room::Member,
    },
    ops::{
        members,
        rows::{self, PERSON, Word},
    },
    store::Store,
};

/// Somebody who is gone, and what went with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedPerson {
    /// Who it was.
    pub person: Person,
    /// Their login sessions.
    pub logins: Vec<SecretHash>,
    /// The rooms they were in, each with its new owner if they were the only one.
    pub rooms: Vec<(RoomId, Option<Member>)>,
}

impl Store {
    /// Signs up a member. `password_hash` is kept as it is.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`].
    pub async fn create_member(&self, name: &PersonName, password_hash: &str) -> Result<Person, StoreError> {
        self.create_person(PersonKind::Member, name, Some(password_hash))
            .await
    }

    /// A guest of this name, who is kept as long as a login session of them: create it next.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`].
    pub async fn create_guest(&self, name: &PersonName) -> Result<Person, StoreError> {
        self.create_person(PersonKind::Guest, name, None).await
    }

    async fn create_person(
        &self,
        kind: PersonKind,
        name: &PersonName,
        password: Option<&str>,
    ) -> Result<Person, StoreError> {
        let arguments = (kind, name.clone(), password.map(str::to_owned));
        self.write(arguments, |(kind, name, password), conn| {
            Box::pin(async move {
                let NameKeys { folded, look, look_as_written } = name.keys();
                let statement = conn.statement(
                    "INSERT INTO persons (id, kind, name, folded, look, look_as_written, password, created) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, {now}) ON CONFLICT DO NOTHING \
                     RETURNING id AS person_id, kind AS person_kind, name AS person_name, created AS person_created",
                );
                let statement = statement
                    .bind(PersonId::random().raw())
                    .bind(kind.word())
                    .bind(name.as_str().to_owned())
                    .bind(folded)
                    .bind(look)
                    .bind(look_as_written)
                    .bind(password.clone());
                match conn.optional(statement).await? {
                    Some(row) => rows::person(&row),
                    None => Err(Conflict::NameTaken.into()),
                }
            })
        })
        .await
    }

    /// # Errors
    /// [`Missing::Person`].
    pub async fn person(&self, id: PersonId) -> Result<Person, StoreError> {
        self.read(id, |id, conn| Box::pin(person(*id, conn))).await
    }

    /// Whoever has this name, whatever its case.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn person_by_name(&self, name: &PersonName) -> Result<Option<Person>, StoreError> {
        Ok(self.by_name(name).await?.map(|(person, _)| person))
    }

    /// The member of this name, whatever its case, and the hash of the password.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn credentials(&self, name: &PersonName) -> Result<Option<(Person, String)>, StoreError> {
        let found = self.by_name(name).await?;
        Ok(found.and_then(|(person, password)| Some((person, password?))))
    }

    /// The hash of a member's password.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn password_hash(&self, id: PersonId) -> Result<Option<String>, StoreError> {
        self.read(id, |id, conn| {
            Box::pin(async move {
                let statement = conn
                    .statement("SELECT password FROM persons WHERE id = $1")
                    .bind(id.raw());
                match conn.optional(statement).await? {
                    Some(row) => row.maybe_text("password"),
                    None => Ok(None),
                }
            })
        })
        .await
    }

    async fn by_name(&self, name: &PersonName) -> Result<Option<(Person, Option<String>)>, StoreError> {
        self.read(name.folded(), |folded, conn| {
            Box::pin(async move {
                let text = format!("SELECT {PERSON}, password FROM persons WHERE folded = $1");
                let statement = conn.statement(&text).bind(folded.clone());
                match conn.optional(statement).await? {
                    Some(row) => Ok(Some((rows::person(&row)?, row.maybe_text("password")?))),
                    None => Ok(None),
                }
            })
        })
        .await
    }

    /// Changes a member's password. Login sessions stay as they are.
    ///
    /// # Errors
    /// [`Missing::Person`], also of guests.
    pub async fn set_password(&self, id: PersonId, password_hash: &str) -> Result<(), StoreError> {
        self.write((id, password_hash.to_owned()), |(id, password), conn| {
            Box::pin(async move {
                let statement =
                    conn.statement("UPDATE persons SET password = $2 WHERE id = $1 AND kind = 'member'");
                found(
                    conn.execute(statement.bind(id.raw()).bind(password.clone()))
                        .await?,
                )
            })
        })
        .await
    }

    /// Gives a person another name. What was said stays under the former one.
    ///
    /// # Errors
    /// [`Missing::Person`], [`Conflict::NameTaken`].
    pub async fn rename(&self, id: PersonId, name: &PersonName) -> Result<Person, StoreError> {
        self.write((id, name.clone()), |(id, name), conn| {
            Box::pin(async move {
                let NameKeys { folded, look, look_as_written } = name.keys();
                let statement = conn.statement(
                    "UPDATE persons SET name = $2, folded = $3, look = $4, look_as_written = $5 WHERE id = $1",
                );
                let statement = statement
                    .bind(id.raw())
                    .bind(name.as_str().to_owned())
                    .bind(folded)
                    .bind(look)
                    .bind(look_as_written);
                let changed = conn.execute(statement).await;
                found(changed.map_err(|error| error.on_duplicate(Conflict::NameTaken))?)?;
                person(*id, conn).await
            })
        })
        .await
    }

    /// Removes a person, with login sessions, memberships and reactions. What they have said stays, under their name.
    ///
    /// # Errors
    /// [`Missing::Person`].
    pub async fn delete_person(&self, id: PersonId) -> Result<DeletedPerson, StoreError> {
        self.write(id, |id, conn| Box::pin(delete(*id, conn))).await
    }

    /// Sets or removes the hash of a member's API token.
    ///
    /// # Errors
    /// [`Missing::Person`], also of guests; [`Conflict::SecretUsed`].
    pub async fn set_token(&self, id: PersonId, token: Option<&SecretHash>) -> Result<(), StoreError> {
        self.write((id, token.copied()), |(id, token), conn| {
            Box::pin(async move {
                let statement =
                    conn.statement("UPDATE persons SET token = $2 WHERE id = $1 AND kind = 'member'");
                let statement = statement.bind(id.raw()).bind(token.map(SecretHash::to_text));
                let changed = conn.execute(statement).await;
                found(changed.map_err(|error| error.on_duplicate(Conflict::SecretUsed))?)
            })
        })
        .await
    }

    /// Whose API token it is.
    ///
    /// # Errors
    /// What can befall the store.
    pub async fn person_by_token(&self, token: &SecretHash) -> Result<Option<Person>, StoreError> {
        self.read(*token, |token, conn| {
            Box::pin(async move {
                let text = format!("SELECT {PERSON} FROM persons WHERE token = $1");
                let statement = conn.statement(&text).bind(token.to_text());
                conn.optional(statement)
                    .await?
                    .map(|row| rows::person(&row))
                    .transpose()
            })
        })
        .await
    }
}

fn found(changed: u64) -> Result<(), StoreError> {
    if changed == 0 {
        Err(Missing::Person.into())
    } else {
        Ok(())
    }
}

pub(super) async fn person(id: PersonId, conn: &mut Conn<'_>) -> Result<Person, StoreError> {
    let statement = conn.statement(&format!("SELECT {PERSON} FROM persons WHERE id = $1"));
    let row = conn
        .optional(statement.bind(id.raw()))
        .await?
        .ok_or(Missing::Person)?;
    rows::person(&row)
}

pub(super) async fn delete(id: PersonId, conn: &mut Conn<'_>) -> Result<DeletedPerson, StoreError> {
    let mut deleted = DeletedPerson {
        person: person(id, conn).await?,
        logins: Vec::new(),
        rooms: Vec::new(),
    };
    let logins = conn
        .statement("SELECT id FROM logins WHERE person = $1")
        .bind(id.raw());
    for row in conn.all(logins).await? {
        deleted.logins.extend(SecretHash::from_text(&row.text("id")?));
    }
    // Rooms in the order in which all lock them.
    let rooms = conn.statement(
        "SELECT room FROM memberships WHERE person = $1 AND role NOT IN ('invited', 'banned') ORDER BY room",
    );
    for row in conn.all(rooms.bind(id.raw())).await? {
        let room = RoomId::from_raw(row.integer("room")?);
        deleted.rooms.push((room, members::leave(conn, room, id).await?));
    }
    let statement = conn.statement("DELETE FROM persons WHERE id = $1").bind(id.raw());
    found(conn.execute(statement).await?)?;
    Ok(deleted)
}
