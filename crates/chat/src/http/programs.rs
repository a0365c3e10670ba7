//! The API for programs: an account's token, JSON, and no cookie.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    response::Response,
};
use hither_store::{ClientId, Number, RoomId};
use serde::{Deserialize, Serialize};

use super::{
    answer::accepted,
    visit::{Body, Program},
};
use crate::{
    limits::Kind,
    refusal::Refusal,
    request::{MessageHistory, MessageSend, SentKind, answered},
    service::{PAGE, Service},
    view::MembershipView,
};

type Chat = State<Arc<Service>>;
type Answer = Result<Response, Refusal>;

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<MembershipView>,
}

#[derive(Deserialize)]
pub(super) struct Which {
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Say {
    text: String,
    #[serde(default)]
    kind: SentKind,
    #[serde(default, deserialize_with = "answered")]
    reply_to: Option<Number>,
    id: Option<ClientId>,
}

pub(super) async fn rooms(State(chat): Chat, Program(actor): Program) -> Answer {
    chat.limits.take(actor.id, Kind::Requests)?;
    let rooms = chat.store.memberships(actor.id).await?;
    Ok(accepted(Rooms {
        rooms: rooms.into_iter().map(MembershipView::from).collect(),
    }))
}

pub(super) async fn history(
    State(chat): Chat,
    Program(actor): Program,
    Path(room): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Answer {
    let bad = || {
        let most = Number::MAX;
        Refusal::bad(format!(
            "before and after are whole numbers from 0 to {most}, and limit is one from 1 to {PAGE}."
        ))
    };
    let Query(which) = which.map_err(|_| bad())?;
    if which.before.max(which.after) > Some(Number::MAX.get()) {
        return Err(bad());
    }
    let asked = MessageHistory {
        room: room_id(&room)?,
        before: which.before.map(Number::new),
        after: which.after.map(Number::new),
        around: None,
        date: None,
        limit: which.limit,
    };
    Ok(accepted(chat.history(actor.id, asked).await?))
}

pub(super) async fn send(
    State(chat): Chat,
    Program(actor): Program,
    Path(room): Path<String>,
    Body(say): Body<Say>,
) -> Answer {
    let send = MessageSend {
        room: room_id(&room)?,
        id: say.id.unwrap_or_else(ClientId::random),
        text: say.text,
        kind: say.kind,
        reply_to: say.reply_to,
        attachments: Vec::new(),
    };
    Ok(accepted(chat.send(&actor, send).await?))
}

fn room_id(text: &str) -> Result<RoomId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::bad("A room is named by its id, as the list of rooms has it."))
}
