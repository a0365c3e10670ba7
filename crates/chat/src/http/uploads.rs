//! Files: taken from who is signed in, and given to who may read the room.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use hither_store::{Attachment, AttachmentId, Missing, RoomId, Standing, StoreError};
use serde::{Deserialize, Serialize};
use tracing::debug;

use super::{
    answer::accepted,
    visit::{Visit, require_own_site},
};
use crate::{
    accounts::SignedIn,
    limits::Kind,
    refusal::Refusal,
    service::Service,
    uploads::{Incoming, OTHER, disposition, preview_type},
    view::AttachmentView,
};

type Chat = State<Arc<Service>>;

#[derive(Deserialize)]
pub(super) struct Where {
    room: RoomId,
    name: String,
}

#[derive(Serialize)]
struct Uploaded {
    upload: AttachmentView,
}

/// A file that a page sends, of which nothing was read yet.
pub(super) struct File {
    visit: Visit,
    incoming: Incoming,
}

impl FromRequest<Arc<Service>> for File {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Refusal> {
        require_own_site(request.headers())?;
        let (parts, body) = request.into_parts();
        let visit = Visit::of(&parts, service);
        let headers = parts.headers;
        Ok(Self {
            visit,
            incoming: Incoming { headers, body },
        })
    }
}

pub(super) async fn upload(
    State(chat): Chat,
    place: Result<Query<Where>, QueryRejection>,
    file: Result<File, Refusal>,
) -> Response {
    let kept = async {
        let File { visit, incoming } = file?;
        let who = visit.signed_in(&chat).await?;
        let expected = r#"An upload goes to "?room=ROOM&name=FILENAME", with a room's id."#;
        let Query(Where { room, name }) = place.map_err(|_| Refusal::bad(expected))?;
        chat.upload(&who.actor, room, &name, incoming).await
    };
    match kept.await {
        Ok(kept) => accepted(Uploaded {
            upload: (&kept).into(),
        }),
        Err(refusal) => {
            let mut answer = refusal.into_response();
            // Perhaps not all of the body was read, so the connection cannot go on.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
            answer
        }
    }
}

/// The file, as it was uploaded.
pub(super) async fn file(
    State(chat): Chat,
    visit: Visit,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let file = readable(&chat, &visit, &id).await?;
    let tag = format!("\"{}\"", file.id);
    if is_known(&headers, &tag) {
        return Ok(unchanged(&tag));
    }
    // The first part before the answer begins, so that a store that does not answer is told as such.
    let first = chat.store.attachment_part(file.id, 0).await?.unwrap_or_default();
    let size = file.size;
    let shown = file.media_type != OTHER;
    let guards = guards(&file.media_type, disposition(&file.name, shown), &tag);
    let mut answer = (guards, Body::from_stream(parts(chat, file.id, first))).into_response();
    answer.headers_mut().insert(header::CONTENT_LENGTH, size.into());
    Ok(answer)
}

/// What an image looks like in small.
pub(super) async fn thumbnail(
    State(chat): Chat,
    visit: Visit,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let file = readable(&chat, &visit, &id).await?;
    if file.dimensions.is_none() {
        return Err(StoreError::from(Missing::Attachment).into());
    }
    let tag = format!("\"{}-small\"", file.id);
    if is_known(&headers, &tag) {
        return Ok(unchanged(&tag));
    }
    let content = if file.preview {
        chat.store.attachment_preview(file.id).await?
    } else {
        // It is small already, and so in one part.
        chat.store.attachment_part(file.id, 0).await?.unwrap_or_default()
    };
    let guards = guards(preview_type(&content), disposition(&file.name, true), &tag);
    Ok((guards, content).into_response())
}

/// A file that the visitor may read: of a room that they are in, or their own.
async fn readable(chat: &Service, visit: &Visit, id: &str) -> Result<Attachment, Refusal> {
    let SignedIn { actor, .. } = visit.signed_in(chat).await?;
    chat.limits.take(actor.id, Kind::Files)?;
    let unknown = || Refusal::from(StoreError::from(Missing::Attachment));
    let id: AttachmentId = id.parse().map_err(|_| unknown())?;
    let file = chat.store.attachment(id).await?;
    let may_read = match file.number {
        // Not sent yet.
        None => file.owner == actor.id,
        Some(_) => {
            let standing = chat.store.standing(file.room, actor.id).await?;
            matches!(standing, Some(Standing::In(_)))
        }
    };
    // Who may not read it is not told that it is there.
    if may_read { Ok(file) } else { Err(unknown()) }
}

/// Parts from the store, one at a time, as fast as the client takes them.
fn parts(
    chat: Arc<Service>,
    id: AttachmentId,
    first: Vec<u8>,
) -> impl futures_util::Stream<Item = Result<Vec<u8>, StoreError>> {
    stream::try_unfold((0_u32, Some(first)), move |(number, first)| {
        let chat = chat.clone();
        async move {
            let part = match first {
                Some(first) => Some(first),
                None => chat
                    .store
                    .attachment_part(id, number)
                    .await
                    .inspect_err(|error| debug!(%id, %error, "upload ended early"))?,
            };
            Ok(part.map(|part| (part, (number + 1, None))))
        }
    })
}

/// What keeps a file from being anything but shown or saved: no type but the one that it was found to be, no script, no style,
/// no frame; and nobody between keeps it. A browser asks each time whether its person still may have it.
fn guards(media_type: &str, disposition: HeaderValue, tag: &str) -> HeaderMap {
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(OTHER));
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, text(media_type)),
        (header::CONTENT_DISPOSITION, disposition),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
        (header::ETAG, text(tag)),
    ])
}

const CACHE: &str = "private, no-cache";

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    known
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag)
}

fn unchanged(tag: &str) -> Response {
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, CACHE)];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}
