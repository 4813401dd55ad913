//! Which pages may read the answers: those whose origin is named in `http.cors_origins`, to the letter.
//!
//! Without names no page may, which is how it is shipped. Keys go in a header that a page sets itself,
//! never in a cookie, so no answer ever allows credentials, and no wildcard is needed or understood.
//! A page that is not named is answered as anybody is; its browser keeps the answer from it.

use super::edges::Edges;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

/// The methods that the API takes.
const METHODS: &str = "GET, HEAD, POST, PATCH, DELETE";
/// What a page may send besides what any page may.
const HEADERS: &str = "authorization, content-type, idempotency-key, last-event-id, x-request-id, \
                       xrpayd-timestamp, xrpayd-signature";
/// What a page may read besides what any page may.
const EXPOSED: &str = "x-request-id, retry-after, location, idempotent-replayed, ratelimit-limit, \
                       ratelimit-remaining, ratelimit-reset";
/// How long a browser may remember that it was allowed, in seconds.
const MAX_AGE: &str = "600";

/// What a request's page is told.
#[derive(Debug, Clone)]
pub struct Cors {
    /// Whether any origin is named: then answers differ by it.
    varies: bool,
    allowed: Option<HeaderValue>,
}

impl Cors {
    /// For a request with these headers.
    pub fn of(edges: &Edges, headers: &HeaderMap) -> Self {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let named = |origin: &&HeaderValue| {
            let origin = origin.as_bytes();
            edges
                .cors_origins
                .iter()
                .any(|own| own.as_bytes() == origin)
        };
        let allowed = match (origins.next(), origins.next()) {
            (Some(origin), None) => Some(origin).filter(named).cloned(),
            (Some(_) | None, _) => None,
        };
        Self {
            varies: !edges.cors_origins.is_empty(),
            allowed,
        }
    }

    /// The answer to a browser that asks before its page may ask; nothing where this is not that.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let is_asked = self.allowed.is_some()
            && request.method() == Method::OPTIONS
            && request
                .headers()
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        is_asked.then(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            for (name, value) in [
                (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ] {
                let headers = response.headers_mut();
                headers.insert(name, HeaderValue::from_static(value));
            }
            response
        })
    }

    /// Marks an answer.
    pub fn mark(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = HeaderValue::from_static(EXPOSED);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}
