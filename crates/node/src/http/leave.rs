//! How operators ask a node to leave: `POST /leave`.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use hither::StatusReader;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::NOT_STORED;
use crate::{
    leave_token::{self, Bearer, LeaveTokenError},
    settings::Trust,
    throttle::WarningThrottle,
};

/// By these one knows a request that somebody else sent on, or a page had a browser send. Neither comes from who is
/// allowed on this machine, whatever address it comes from.
const BY_WAY_OF_OTHERS: [HeaderName; 3] = [
    header::ORIGIN,
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
];

/// Why nobody leaves for such a request.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "whoever asks a node to leave needs a leave token: `hither leave` makes one of the cluster's secret"
    )]
    NoToken,
    #[error(transparent)]
    Token(#[from] LeaveTokenError),
    #[error(
        "this cluster has no secret, so only its own machine may ask a node to leave, and without detours"
    )]
    NotFromHere,
}

/// `POST /leave` has the node leave as SIGTERM does, when it carries a leave token made of the cluster's secret. It is answered at
/// once; `leaving` is then cancelled.
///
/// Without a secret every machine could make a leave token, so then only peers on loopback are heard.
pub(super) fn leave(trust: Trust, status: StatusReader, leaving: CancellationToken) -> Router {
    let refusals = Arc::new(WarningThrottle::default());
    let answer = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap| {
        let status = status.read();
        let incarnation = status.members.iter().find(|member| member.name == status.node);
        let bearer = Bearer {
            node: &status.node,
            incarnation: incarnation.map_or(0, |member| member.incarnation),
        };
        match admit(&trust, bearer, peer, &headers, SystemTime::now()) {
            Ok(()) => {
                info!(%peer, "asked to leave");
                leaving.cancel();
                (
                    StatusCode::ACCEPTED,
                    [NOT_STORED],
                    format!("{} leaves\n", bearer.node),
                )
                    .into_response()
            }
            Err(refusal) => {
                // Anybody can ask, as often as he likes.
                if let Some(suppressed) = refusals.admit(Instant::now()) {
                    warn!(%peer, %refusal, suppressed, "leave request refused");
                }
                refusal.into_response()
            }
        }
    };
    Router::new().route("/leave", post(answer))
}

fn admit(
    trust: &Trust,
    bearer: Bearer<'_>,
    peer: SocketAddr,
    headers: &HeaderMap,
    now: SystemTime,
) -> Result<(), Refusal> {
    if let Trust::Loopback = trust {
        let direct = BY_WAY_OF_OTHERS.iter().all(|name| !headers.contains_key(name));
        if !peer.ip().to_canonical().is_loopback() || !direct {
            return Err(Refusal::NotFromHere);
        }
    }
    let token = headers.get(header::AUTHORIZATION).ok_or(Refusal::NoToken)?;
    let token = token.to_str().map_err(|_| LeaveTokenError::Unreadable)?;
    Ok(leave_token::check(&trust.secrets(), bearer, now, token)?)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = format!("{self}\n");
        match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                [NOT_STORED, (header::WWW_AUTHENTICATE, leave_token::challenge())],
                text,
            )
                .into_response(),
            Self::Token(_) | Self::NotFromHere => (StatusCode::FORBIDDEN, [NOT_STORED], text).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use hither::cluster::Secrets;

    use super::*;
    use crate::leave_token::testing::NODE;

    const HERE: &str = "127.0.0.1:40000";
    const ELSEWHERE: &str = "192.0.2.1:40000";

    fn secret() -> Trust {
        Trust::Secrets(
            Secrets::parse("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08").unwrap(),
        )
    }

    fn headers(trust: &Trust) -> HeaderMap {
        let token = leave_token::make(&trust.secrets(), NODE, SystemTime::now());
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::try_from(token).unwrap())])
    }

    fn asks(trust: &Trust, peer: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        admit(trust, NODE, peer.parse().unwrap(), headers, SystemTime::now())
    }

    #[test]
    fn with_the_secret_one_may_ask_from_anywhere() {
        for peer in [HERE, ELSEWHERE] {
            assert!(asks(&secret(), peer, &headers(&secret())).is_ok(), "{peer}");
        }
    }

    #[test]
    fn nobody_may_ask_without_a_pass_of_the_same_secret() {
        for trust in [secret(), Trust::Loopback] {
            let refusal = asks(&trust, HERE, &HeaderMap::new()).unwrap_err();
            assert!(matches!(refusal, Refusal::NoToken), "{refusal}");
            assert_eq!(refusal.into_response().status(), StatusCode::UNAUTHORIZED);
        }
        let refusal = asks(&secret(), HERE, &headers(&Trust::Loopback)).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Token(LeaveTokenError::Forged)),
            "{refusal}"
        );
        assert_eq!(refusal.into_response().status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn without_a_secret_only_this_machine_may_ask() {
        let none = Trust::Loopback;
        for peer in [HERE, "[::1]:40000", "[::ffff:127.0.0.1]:40000"] {
            assert!(asks(&none, peer, &headers(&none)).is_ok(), "{peer}");
        }
        let refusal = asks(&none, ELSEWHERE, &headers(&none)).unwrap_err();
        assert!(matches!(refusal, Refusal::NotFromHere), "{refusal}");
    }

    #[test]
    fn without_a_secret_neither_balancers_nor_pages_may_ask() {
        let none = Trust::Loopback;
        for name in BY_WAY_OF_OTHERS {
            let mut headers = headers(&none);
            headers.insert(&name, HeaderValue::from_static("http://evil.example"));
            let refusal = asks(&none, HERE, &headers).unwrap_err();
            assert!(matches!(refusal, Refusal::NotFromHere), "{name}: {refusal}");
        }
    }
}
