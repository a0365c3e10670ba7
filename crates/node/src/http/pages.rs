//! The web client, inside the binary: `web/dist` as it was when the binary was built. Debug builds read it from disk, so
//! that the page can be worked on without building the node again.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct WebClient;

/// Serves the web client to all who ask for what nothing else answers. The cluster page is no part of it: it is where its
/// feed is.
pub fn pages() -> Router {
    Router::new().fallback(async |method: Method, uri: Uri, headers: HeaderMap| {
        let answer = respond::<WebClient>(uri.path(), &headers);
        let reads = method == Method::GET || method == Method::HEAD;
        if reads || answer.status() == StatusCode::NOT_FOUND {
            answer
        } else {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
            (StatusCode::METHOD_NOT_ALLOWED, allow).into_response()
        }
    })
}

/// Serves the cluster page and what it is made of.
pub(super) fn cluster_page() -> Router {
    let page = async |headers: HeaderMap| match WebClient::get(CLUSTER_PAGE) {
        Some(file) => (GUARDS, serve::<WebClient>(CLUSTER_PAGE, file, &headers)).into_response(),
        None => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
    };
    let part = async |uri: Uri, headers: HeaderMap| respond::<WebClient>(uri.path(), &headers);
    Router::new()
        .route("/cluster", get(page))
        .route(&format!("/{HASHED}{{*path}}"), get(part))
        .route("/favicon.svg", get(part))
}

/// The page at `/`.
const FRONT_PAGE: &str = "index.html";

/// The page at `/cluster`.
const CLUSTER_PAGE: &str = "cluster.html";

/// Where the build puts files whose names change with what is in them.
const HASHED: &str = "assets/";

/// What the build adds to the name of a file for the same file, compressed by gzip.
const GZIPPED: &str = ".gz";

const NOT_BUILT: &str = "\
This node was built without its web page: there was no web/dist.
Build the page (cd web && npm ci && npm run build), then the node.
";

/// Pages run nothing but what is in them, and show in no frame of another page. What a `<meta>` can say of that, they say
/// themselves.
const GUARDS: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

fn respond<Files: RustEmbed>(path: &str, asked: &HeaderMap) -> Response {
    let path = path.strip_prefix('/').unwrap_or(path);
    match find::<Files>(path) {
        Some((name, file)) => (GUARDS, serve::<Files>(&name, file, asked)).into_response(),
        None if path.is_empty() => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
        None => (StatusCode::NOT_FOUND, "Not found\n").into_response(),
    }
}

/// The file at a path: itself, or a page by its name without the ending. Not the cluster page, and nothing by the name of its
/// compressed form.
fn find<Files: RustEmbed>(path: &str) -> Option<(String, EmbeddedFile)> {
    let name = if path.is_empty() {
        FRONT_PAGE.to_owned()
    } else {
        path.to_owned()
    };
    let page = format!("{path}.html");
    [name, page]
        .into_iter()
        .filter(|name| name != CLUSTER_PAGE && !name.ends_with(GZIPPED))
        .find_map(|name| Files::get(&name).map(|file| (name, file)))
}

/// Whether the browser takes a body that is compressed by gzip (RFC 9110, section 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = quality
                .trim()
                .strip_prefix("q=")
                .is_some_and(|quality| quality.bytes().all(|byte| matches!(byte, b'0' | b'.')));
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}

/// A file, compressed where the browser takes that and the build has it.
fn serve<Files: RustEmbed>(name: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let smaller = takes_gzip(asked)
        .then(|| Files::get(&format!("{name}{GZIPPED}")))
        .flatten();
    let content_type = HeaderValue::from_str(&content_type(&file))
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let encoding = smaller
        .is_some()
        .then_some([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    let file = smaller.unwrap_or(file);
    let tag = entity_tag(&file);
    let cache = if name.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::ETAG, tag.clone()),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
    ];
    let known = asked.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known == tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (
        headers,
        encoding,
        [(header::CONTENT_TYPE, content_type)],
        Body::from(file.data),
    )
        .into_response()
}

/// The beginning of a SHA-256 is enough to tell versions of one file apart.
fn entity_tag(file: &EmbeddedFile) -> HeaderValue {
    let hash: String = file.metadata.sha256_hash()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn content_type(file: &EmbeddedFile) -> String {
    let by_name = file.metadata.mimetype();
    // All our text is UTF-8.
    if by_name.starts_with("text/") {
        format!("{by_name}; charset=utf-8")
    } else {
        by_name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// A small page with all that a built one has.
    #[derive(RustEmbed)]
    #[folder = "tests/pages"]
    struct Example;

    #[derive(RustEmbed)]
    #[folder = "tests/missing"]
    #[allow_missing = true]
    struct Missing;

    fn get<Files: RustEmbed>(path: &str) -> Response {
        respond::<Files>(path, &HeaderMap::new())
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers()[name].to_str().unwrap()
    }

    #[tokio::test]
    async fn the_front_page_is_always_asked_for_again() {
        let response = get::<Example>("/");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert_eq!(
            header(&response, "content-security-policy"),
            "frame-ancestors 'none'"
        );
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"<!doctype html>"));
    }

    #[test]
    fn other_pages_need_no_ending() {
        assert_eq!(
            header(&get::<Example>("/other"), "content-type"),
            "text/html; charset=utf-8"
        );
    }

    #[test]
    fn the_cluster_page_is_not_for_all() {
        for path in ["/cluster", "/cluster.html", "/cluster.html.gz"] {
            assert_eq!(get::<Example>(path).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn what_has_a_hash_in_its_name_is_kept() {
        let response = get::<Example>("/assets/page-1a2b3c4d.js");
        assert_eq!(
            header(&response, "content-type"),
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            header(&response, "cache-control"),
            "public, max-age=31536000, immutable"
        );
    }

    #[test]
    fn who_has_it_already_is_not_sent_it_again() {
        let first = get::<Example>("/");
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()["etag"].clone())]);
        let again = respond::<Example>("/", &headers);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&again, "cache-control"), "no-cache");
        assert_eq!(respond::<Example>("/other", &headers).status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn who_takes_gzip_is_sent_fewer_bytes() {
        const PATH: &str = "/assets/page-1a2b3c4d.js";
        let asking = |accepted| HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted)]);
        for accepted in ["gzip", "deflate, GZip;q=0.5, br"] {
            let response = respond::<Example>(PATH, &asking(HeaderValue::from_static(accepted)));
            assert_eq!(header(&response, "content-encoding"), "gzip");
            assert_eq!(
                header(&response, "content-type"),
                "text/javascript; charset=utf-8"
            );
            assert_eq!(header(&response, "vary"), "accept-encoding");
            assert_ne!(header(&response, "etag"), header(&get::<Example>(PATH), "etag"));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(&[0x1f, 0x8b]));
        }
        for accepted in ["br", "gzip;q=0", "gzipped"] {
            let response = respond::<Example>(PATH, &asking(HeaderValue::from_static(accepted)));
            assert!(!response.headers().contains_key("content-encoding"), "{accepted}");
        }
    }

    #[test]
    fn unknown_paths_are_not_found_and_lead_nowhere_else() {
        for path in [
            "/nothing",
            "/assets",
            "/assets/",
            "/assets/page-1a2b3c4d.js.gz",
            "/../Cargo.toml",
            "//etc/passwd",
            "/index.html/",
            "/%2e%2e/x",
        ] {
            assert_eq!(get::<Example>(path).status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn a_node_without_the_page_says_so() {
        let response = get::<Missing>("/");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"This node was built without its web page"));
    }
}
