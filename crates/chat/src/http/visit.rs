//! Who makes a request, and what is in it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use hither::OverTls;
use serde::de::DeserializeOwned;

use crate::{
    accounts::{Secret, SignedIn, Visitor, cookie, origin},
    refusal::{Code, Refusal},
    service::Service,
};

/// Who makes a request, as its headers say.
pub(super) struct Visit {
    pub(super) secret: Option<Secret>,
    pub(super) tls: bool,
    address: Option<IpAddr>,
    agent: String,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Visit {
    pub(super) fn of(parts: &Parts, service: &Service) -> Self {
        let headers = &parts.headers;
        let cookies = headers.get_all(header::COOKIE).iter();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            secret: cookies
                .filter_map(|header| header.to_str().ok())
                .find_map(cookie::read),
            // Whoever claims this falsely gets a cookie that his browser keeps to itself; so anybody may be believed.
            tls: parts.extensions.get::<OverTls>().is_some()
                || text(headers, "x-forwarded-proto") == Some("https"),
            address: peer
                .map(|ConnectInfo(peer)| service.config.trusted_proxies.client_of(peer.ip(), headers)),
            agent: text(headers, "user-agent").unwrap_or_default().to_owned(),
        }
    }

    /// Who is signed in, if somebody is.
    pub(super) async fn current(&self, service: &Service) -> Result<Option<SignedIn>, Refusal> {
        match &self.secret {
            Some(secret) => Ok(service.signed_in(secret).await?),
            None => Ok(None),
        }
    }

    pub(super) async fn signed_in(&self, service: &Service) -> Result<SignedIn, Refusal> {
        self.current(service).await?.ok_or_else(Refusal::not_signed_in)
    }

    pub(super) async fn visitor(self, service: &Service) -> Result<Visitor, Refusal> {
        Ok(Visitor {
            current: self.current(service).await?,
            address: self.address,
            agent: self.agent,
        })
    }
}

impl FromRequestParts<Arc<Service>> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refusal> {
        Ok(Self::of(parts, service))
    }
}

/// That it is no page of another site that makes a request which changes something.
pub(super) fn require_own_site(headers: &HeaderMap) -> Result<(), Refusal> {
    if origin::is_own(headers) {
        return Ok(());
    }
    Err(Refusal::forbidden("Another site must not do this for you."))
}

/// A request of a page that changes something: from this site, and with JSON, which no form can send.
pub(super) struct Form<T> {
    pub(super) visit: Visit,
    pub(super) body: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Refusal> {
        require_own_site(request.headers())?;
        let (parts, body) = request.into_parts();
        let visit = Visit::of(&parts, service);
        let Body(body) = Body::from_request(Request::from_parts(parts, body), service).await?;
        Ok(Self { visit, body })
    }
}

/// A JSON object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Refusal> {
        let media_type =
            text(request.headers(), "content-type").map(|value| value.split(';').next().unwrap_or(""));
        if !media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json")) {
            return Err(Refusal::bad(
                "The body must be JSON, with Content-Type: application/json.",
            ));
        }
        let bytes = Bytes::from_request(request, service).await.map_err(unread)?;
        let parsed = serde_json::from_slice(&bytes);
        Ok(Self(parsed.map_err(|error| {
            Refusal::bad(format!("The body is not what belongs there: {error}."))
        })?))
    }
}

fn unread(rejection: BytesRejection) -> Refusal {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("A body has at most {} bytes.", super::MAX_BODY);
        Refusal::new(Code::TooLarge, message)
    } else {
        Refusal::bad("The body did not come whole.")
    }
}

/// Whose program makes a request, by the token that it shows.
pub(super) struct Program(pub(super) crate::actor::Actor);

impl FromRequestParts<Arc<Service>> for Program {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refusal> {
        let unknown = || {
            Refusal::new(
                Code::NotSignedIn,
                "Authorization: Bearer and an account's token are needed.",
            )
        };
        let shown = text(&parts.headers, "authorization").ok_or_else(unknown)?;
        let (scheme, token) = shown.split_once(' ').ok_or_else(unknown)?;
        let token = Secret::read(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.ok_or_else(unknown)?;
        let person = service.store.person_by_token(&token.hash()).await?;
        Ok(Self(person.ok_or_else(unknown)?.into()))
    }
}
