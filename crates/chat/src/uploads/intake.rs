//! From the body of a request to a file in the store.

use axum::body::{Body, Bytes};
use hither::{BodyError, BodyRoom};
use hither_store::{Attachment, FileName, NewAttachment, RoomId};
use tracing::debug;

use super::{
    OTHER,
    picture::{self, Seen},
};
use crate::{
    actor::Actor,
    limits::Kind,
    refusal::{Code, Refusal},
    service::Service,
};

/// A body of which nothing was read yet.
pub(crate) struct Incoming {
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Body,
}

impl Service {
    /// Keeps what somebody uploads to a room.
    pub(crate) async fn upload(
        &self,
        actor: &Actor,
        room: RoomId,
        name: &str,
        incoming: Incoming,
    ) -> Result<Attachment, Refusal> {
        let limit = self.config.max_upload_bytes;
        if limit == 0 {
            return Err(Refusal::forbidden("Uploads are turned off here."));
        }
        let length = announced(&incoming, limit)?;
        // Before the body comes: who may not upload does not cost its bytes.
        self.role(room, actor.id).await?;
        let size = kibibytes(length);
        self.limits
            .take_shared(&self.store, actor.id, Kind::Uploads, size)
            .await?;
        let (content, room_for_it) = self.body(incoming, limit).await?;
        let (media_type, content, dimensions, preview) =
            match self.uploads.studio.look(content.clone()).await? {
                Seen::Picture(picture) => (
                    picture.media_type,
                    picture.content,
                    Some(picture.dimensions),
                    picture.preview,
                ),
                Seen::Other => (OTHER, content, None, None),
            };
        let new = NewAttachment {
            owner: actor.id,
            room,
            name: FileName::cleaned(name),
            media_type: media_type.to_owned(),
            dimensions,
            content: content.into(),
            preview,
        };
        let kept = self.store.put_attachment(new).await?;
        drop(room_for_it);
        Ok(kept)
    }

    async fn body(&self, incoming: Incoming, limit: usize) -> Result<(Bytes, BodyRoom), Refusal> {
        let Incoming { headers, body } = incoming;
        let (content, room) = match self.uploads.bodies.read(&headers, body, limit).await {
            Ok(read) => read,
            Err(BodyError::TooLarge) => return Err(too_large(None, limit)),
            Err(BodyError::NoRoom(_)) => return Err(Refusal::unavailable(picture::COME_BACK)),
            Err(error) => {
                debug!(%error, "upload incomplete");
                return Err(Refusal::bad("The file did not come whole, or too slowly."));
            }
        };
        if content.is_empty() {
            return Err(Refusal::bad("The file is empty."));
        }
        Ok((content, room))
    }
}

/// How long the body is. Whoever sends a file knows that, and what is not known cannot be counted before it has come.
fn announced(incoming: &Incoming, limit: usize) -> Result<usize, Refusal> {
    let header = incoming.headers.get(axum::http::header::CONTENT_LENGTH);
    let length = header.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    match length {
        None => Err(Refusal::bad("A file is sent with its Content-Length.")),
        Some(0) => Err(Refusal::bad("The file is empty.")),
        Some(length) if length > limit => Err(too_large(Some(length), limit)),
        Some(length) => Ok(length),
    }
}

fn too_large(length: Option<usize>, limit: usize) -> Refusal {
    let message = match length {
        Some(length) => format!("The file has {length} bytes; {limit} are allowed."),
        None => format!("The file has more than {limit} bytes, which are allowed."),
    };
    Refusal::new(Code::TooLarge, message)
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
