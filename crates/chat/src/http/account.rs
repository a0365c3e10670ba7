//! Accounts and login sessions, for the page.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{
    answer::{Nothing, accepted},
    visit::{Form, Visit},
};
use crate::{
    accounts::{self, Begun, cookie},
    refusal::Refusal,
    service::Service,
    view::PersonView,
};

type Chat = State<Arc<Service>>;
type Answer = Result<Response, Refusal>;

#[derive(Serialize)]
struct Session {
    person: Option<PersonView>,
    guests: bool,
}

#[derive(Serialize)]
struct Who {
    person: PersonView,
}

#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct Guest {
    name: String,
}

#[derive(Deserialize)]
pub(super) struct NewPassword {
    current: String,
    new: String,
}

#[derive(Deserialize)]
pub(super) struct Confirmation {
    password: String,
}

/// A body of which nothing is expected but that it is an object.
#[derive(Deserialize)]
pub(super) struct Empty {}

pub(super) async fn session(State(chat): Chat, visit: Visit) -> Answer {
    let current = visit.current(&chat).await?;
    Ok(accepted(Session {
        person: current.map(|who| who.actor.view()),
        guests: chat.config.guests,
    }))
}

pub(super) async fn sign_up(State(chat): Chat, form: Form<Credentials>) -> Answer {
    let (tls, Credentials { name, password }) = (form.visit.tls, form.body);
    let visitor = form.visit.visitor(&chat).await?;
    Ok(begun(chat.sign_up(visitor, &name, password).await?, tls))
}

pub(super) async fn sign_in(State(chat): Chat, form: Form<Credentials>) -> Answer {
    let (tls, Credentials { name, password }) = (form.visit.tls, form.body);
    let visitor = form.visit.visitor(&chat).await?;
    Ok(begun(chat.sign_in(visitor, &name, password).await?, tls))
}

pub(super) async fn guest(State(chat): Chat, form: Form<Guest>) -> Answer {
    let tls = form.visit.tls;
    let visitor = form.visit.visitor(&chat).await?;
    Ok(match chat.come_as_guest(visitor, &form.body.name).await? {
        accounts::Guest::Begun(login) => begun(login, tls),
        accounts::Guest::Renamed(person) => accepted(Who {
            person: (&person).into(),
        }),
    })
}

fn begun(begun: Begun, tls: bool) -> Response {
    let answer = accepted(Who {
        person: (&begun.person).into(),
    });
    with_cookie(answer, &cookie::set(&begun.secret, begun.max_age, tls))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // A cookie of ours is plain ASCII.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) async fn sign_out(State(chat): Chat, form: Form<Empty>) -> Answer {
    // Who is not signed in any more is as signed out as he wants to be.
    if let Some(who) = form.visit.current(&chat).await? {
        chat.sign_out(&who).await?;
    }
    Ok(with_cookie(accepted(Nothing {}), &cookie::remove(form.visit.tls)))
}

pub(super) async fn sign_out_everywhere(State(chat): Chat, form: Form<Empty>) -> Answer {
    let who = form.visit.signed_in(&chat).await?;
    chat.sign_out_everywhere(&who).await?;
    Ok(with_cookie(accepted(Nothing {}), &cookie::remove(form.visit.tls)))
}

pub(super) async fn password(State(chat): Chat, form: Form<NewPassword>) -> Answer {
    let who = form.visit.signed_in(&chat).await?;
    let NewPassword { current, new } = form.body;
    chat.change_password(&who, current, new).await?;
    Ok(accepted(Nothing {}))
}

pub(super) async fn delete(State(chat): Chat, form: Form<Confirmation>) -> Answer {
    let who = form.visit.signed_in(&chat).await?;
    chat.delete_account(&who, form.body.password).await?;
    Ok(with_cookie(accepted(Nothing {}), &cookie::remove(form.visit.tls)))
}

pub(super) async fn token(State(chat): Chat, form: Form<Empty>) -> Answer {
    let who = form.visit.signed_in(&chat).await?;
    let token = chat.make_token(&who).await?;
    Ok(accepted(Token { token: token.text() }))
}

pub(super) async fn revoke_token(State(chat): Chat, form: Form<Empty>) -> Answer {
    let who = form.visit.signed_in(&chat).await?;
    chat.revoke_token(&who).await?;
    Ok(accepted(Nothing {}))
}
