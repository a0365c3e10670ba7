//! Files that were uploaded, in the store.

use sqlx::any::AnyRow;

use crate::{
    db::conn::{Columns, Conn},
    error::{Denial, Missing, StoreError},
    model::{
        attachment::{Attachment, FileName, MAX_ATTACHMENT_BYTES, NewAttachment},
        ids::{AttachmentId, Number, PersonId, RoomId},
        room::Standing,
    },
    ops::{
        members,
        rows::{OfMessage, check_text, json},
    },
    store::Store,
};

/// Bytes of a part. A reader holds one at a time.
const PART: usize = 256 * 1024;

const COLUMNS: &str = "id, owner, room, number, name, media_type, size, width, height, \
    CASE WHEN preview IS NULL THEN 0 ELSE 1 END AS has_preview";

fn check(new: &NewAttachment) -> Result<(), StoreError> {
    check_text("a media type", &new.media_type, 100)?;
    if new.content.is_empty() || new.content.len() > MAX_ATTACHMENT_BYTES {
        return Err(StoreError::Invalid(format!(
            "a file has 1 to {MAX_ATTACHMENT_BYTES} bytes"
        )));
    }
    Ok(())
}

impl Store {
    /// Keeps a file of somebody who is in the room.
    ///
    /// # Errors
    /// [`Denial::NotMember`], [`StoreError::Invalid`].
    pub async fn put_attachment(&self, new: NewAttachment) -> Result<Attachment, StoreError> {
        check(&new)?;
        self.write(new, |new, conn| {
            Box::pin(async move {
                if !matches!(
                    members::standing(conn, new.room, new.owner).await?,
                    Some(Standing::In(_))
                ) {
                    return Err(Denial::NotMember.into());
                }
                let id = AttachmentId::random();
                let statement = conn.statement(
                    "INSERT INTO attachments \
                     (id, owner, room, name, media_type, size, width, height, created, preview) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}, $9)",
                );
                let side = |side: u32| i64::from(side);
                let statement = statement
                    .bind(id.raw())
                    .bind(new.owner.raw())
                    .bind(new.room.raw())
                    .bind(new.name.as_str().to_owned())
                    .bind(new.media_type.clone())
                    .bind(i64::try_from(new.content.len()).unwrap_or(i64::MAX))
                    .bind(new.dimensions.map(|(width, _)| side(width)))
                    .bind(new.dimensions.map(|(_, height)| side(height)))
                    .bind(new.preview.clone());
                conn.execute(statement).await?;
                for (part, content) in (0_i64..).zip(new.content.chunks(PART)) {
                    let statement = conn.statement(
                        "INSERT INTO attachment_parts (attachment, part, content) VALUES ($1, $2, $3)",
                    );
                    conn.execute(statement.bind(id.raw()).bind(part).bind(content.to_vec()))
                        .await?;
                }
                find(conn, id).await
            })
        })
        .await
    }

    /// What is known of a file. Who may see it: the members of its room once it has a number, else its owner.
    ///
    /// # Errors
    /// [`Missing::Attachment`].
    pub async fn attachment(&self, id: AttachmentId) -> Result<Attachment, StoreError> {
        self.read(id, |id, conn| Box::pin(find(conn, *id))).await
    }

    /// A part of a file, counted from 0; none behind the last one.
    ///
    /// # Errors
    /// [`Missing::Attachment`], also when it was removed since the last part was read.
    pub async fn attachment_part(&self, id: AttachmentId, part: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read((id, part), |(id, part), conn| {
            Box::pin(async move {
                let statement = conn
                    .statement("SELECT content FROM attachment_parts WHERE attachment = $1 AND part = $2");
                match conn
                    .optional(statement.bind(id.raw()).bind(i64::from(*part)))
                    .await?
                {
                    Some(row) => Ok(Some(row.bytes("content")?)),
                    None => find(conn, *id).await.map(|_| None),
                }
            })
        })
        .await
    }

    /// The smaller image of a file.
    ///
    /// # Errors
    /// [`Missing::Attachment`], also when there is no smaller image.
    pub async fn attachment_preview(&self, id: AttachmentId) -> Result<Vec<u8>, StoreError> {
        self.read(id, |id, conn| {
            Box::pin(async move {
                let statement =
                    conn.statement("SELECT preview FROM attachments WHERE id = $1 AND preview IS NOT NULL");
                let row = conn.optional(statement.bind(id.raw())).await?;
                row.ok_or(Missing::Attachment)?.bytes("preview")
            })
        })
        .await
    }
}

async fn find(conn: &mut Conn<'_>, id: AttachmentId) -> Result<Attachment, StoreError> {
    let statement = conn.statement(&format!("SELECT {COLUMNS} FROM attachments WHERE id = $1"));
    attachment(
        &conn
            .optional(statement.bind(id.raw()))
            .await?
            .ok_or(Missing::Attachment)?,
    )
}

/// Of some messages of a room.
pub(super) async fn of_messages(
    conn: &mut Conn<'_>,
    room: RoomId,
    messages: &[OfMessage],
) -> Result<Vec<Attachment>, StoreError> {
    let table = conn.dialect.table(OfMessage::COLUMNS);
    let statement = conn.statement(&format!(
        "SELECT {COLUMNS} FROM attachments WHERE room = $2 AND number IN (SELECT input.number FROM {table}) \
         ORDER BY created, id"
    ));
    conn.all(statement.bind(json(messages)?).bind(room.raw()))
        .await?
        .iter()
        .map(attachment)
        .collect()
}

fn attachment(row: &AnyRow) -> Result<Attachment, StoreError> {
    let side = |column| -> Result<Option<u32>, StoreError> {
        Ok(row
            .maybe_integer(column)?
            .and_then(|side| u32::try_from(side).ok()))
    };
    Ok(Attachment {
        id: AttachmentId::from_raw(row.integer("id")?),
        owner: PersonId::from_raw(row.integer("owner")?),
        room: RoomId::from_raw(row.integer("room")?),
        number: row.maybe_integer("number")?.map(Number::from_raw),
        name: FileName::cleaned(&row.text("name")?),
        media_type: row.text("media_type")?,
        size: row.integer("size")?.unsigned_abs(),
        dimensions: side("width")?.zip(side("height")?),
        preview: row.integer("has_preview")? != 0,
    })
}
