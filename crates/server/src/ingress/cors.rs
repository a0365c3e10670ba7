//! Cross-origin rules, with the headers of the `cors` package that the reference server uses.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::config::{CorsConfig, CorsOrigins};

/// What an answer says about who may read it.
pub(super) struct CorsHeaders(Vec<(HeaderName, HeaderValue)>);

/// The default of the `cors` package.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");

impl CorsHeaders {
    /// For the answer to this request; none where no cross-origin rules are configured.
    pub(super) fn new(config: &CorsConfig, method: &Method, request: &HeaderMap) -> Option<Self> {
        let mut headers = Vec::new();
        match &config.origins {
            CorsOrigins::SameOrigin => return None,
            CorsOrigins::Any => {
                headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")));
            }
            CorsOrigins::Listed(origins) => {
                let origin = request.get(header::ORIGIN);
                if let Some(origin) = origin.filter(|origin| origins.iter().any(|listed| *listed == **origin))
                {
                    headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
                }
                headers.push((header::VARY, HeaderValue::from_name(header::ORIGIN)));
            }
        }
        if config.credentials {
            headers.push((
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            ));
        }
        if method == Method::OPTIONS {
            headers.push((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS));
            if let Some(names) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.push((header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone()));
            }
            headers.push((
                header::VARY,
                HeaderValue::from_name(header::ACCESS_CONTROL_REQUEST_HEADERS),
            ));
        }
        Some(Self(headers))
    }

    /// The answer to a preflight, whoever owns the session that it names.
    pub(super) fn preflight(&self) -> Response {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        self.mark(&mut answer);
        answer
    }

    /// Adds the headers to an answer.
    pub(super) fn mark(&self, answer: &mut Response) {
        for (name, value) in &self.0 {
            answer.headers_mut().append(name, value.clone());
        }
    }
}
