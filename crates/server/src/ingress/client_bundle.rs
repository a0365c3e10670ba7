//! The browser's side of Socket.IO, as npm's package `socket.io-client` has it: `<script src="/socket.io/socket.io.js">`.
//!
//! The files are those of the package, compressed by `gzip -9 -n`; `crates/server/assets/socket.io-client/` has them with their
//! licence, so that building needs no npm. `tests/protocol/client-bundle.test.ts` compares them with the package.

use std::io::Read;

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::read::GzDecoder;
use tracing::error;

/// The entity tags of a file as it is and compressed: the version of the package, for a file has one content in each.
const PLAIN_TAG: &str = "\"4.8.4\"";
const GZIP_TAG: &str = "\"4.8.4-gzip\"";

/// A file of the package.
pub(super) struct ClientFile {
    name: &'static str,
    gzip: &'static [u8],
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(ClientFile {
            name: $name,
            gzip: include_bytes!(concat!("../../assets/socket.io-client/", $name, ".gz")),
        }),*]
    };
}

const FILES: &[ClientFile] = files! {
    "socket.io.js" "socket.io.js.map"
    "socket.io.min.js" "socket.io.min.js.map"
    "socket.io.esm.min.js" "socket.io.esm.min.js.map"
};

impl ClientFile {
    /// The file that a request is for.
    pub(super) fn requested(method: &Method, name: &str) -> Option<&'static Self> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        FILES.iter().find(|file| reads && file.name == name)
    }

    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let is_gzip = takes_gzip(request);
        let tag = if is_gzip { GZIP_TAG } else { PLAIN_TAG };
        let headers = [
            (header::ETAG, HeaderValue::from_static(tag)),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, max-age=0"),
            ),
            (header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING)),
        ];
        if is_known(request) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = if self.name.ends_with(".map") {
            "application/json; charset=utf-8"
        } else {
            "text/javascript; charset=utf-8"
        };
        let content_type = [(header::CONTENT_TYPE, content_type)];
        if is_gzip {
            let encoding = [(header::CONTENT_ENCODING, "gzip")];
            return (headers, content_type, encoding, self.gzip).into_response();
        }
        match self.plain() {
            Ok(plain) => (headers, content_type, plain).into_response(),
            Err(error) => {
                error!(file = self.name, %error, "a file of the client cannot be unpacked");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// Unpacked for each of the few who take nothing packed.
    fn plain(&self) -> std::io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        GzDecoder::new(self.gzip).read_to_end(&mut plain)?;
        Ok(plain)
    }
}

/// Whether the requester has this version, in whatever encoding.
fn is_known(request: &HeaderMap) -> bool {
    values(request, header::IF_NONE_MATCH).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == PLAIN_TAG || tag == GZIP_TAG
    })
}

fn takes_gzip(request: &HeaderMap) -> bool {
    values(request, header::ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|weight| weight.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

fn values(request: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    request
        .get_all(name)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_files_are_of_the_version_that_their_tags_name() {
        let version = PLAIN_TAG.trim_matches('"');
        assert_eq!(GZIP_TAG, format!("\"{version}-gzip\""));
        for file in FILES {
            let plain = String::from_utf8(file.plain().unwrap()).unwrap();
            let begins_with_version = plain.contains(&format!("Socket.IO v{version}\n"));
            assert!(
                begins_with_version || file.name.ends_with(".map"),
                "{}",
                file.name
            );
        }
    }

    #[test]
    fn who_has_the_version_is_not_sent_it_again() {
        for tag in ["\"4.8.4\"", "W/\"4.8.4\"", "\"1\", W/\"4.8.4-gzip\""] {
            let answer = FILES[0].answer(&request(header::IF_NONE_MATCH, tag));
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{tag}");
        }
        let answer = FILES[0].answer(&request(header::IF_NONE_MATCH, "\"4.8.3\""));
        assert_eq!(answer.status(), StatusCode::OK);
    }

    #[test]
    fn packed_for_who_takes_it() {
        for (accepted, is_gzip) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(
                takes_gzip(&request(header::ACCEPT_ENCODING, accepted)),
                is_gzip,
                "{accepted}"
            );
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
