//! Answers of which a caller may keep a copy, and asks whether it is still the newest.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Something that is answered as it stands, with the tag by which it is known again.
#[derive(Debug, Clone)]
pub struct Copy {
    kind: &'static str,
    body: Bytes,
    tag: String,
}

impl Copy {
    /// A body of a media type.
    #[must_use]
    pub fn of(kind: &'static str, body: String) -> Self {
        let tag = hex::encode(&Sha256::digest(body.as_bytes())[..16]);
        Self {
            kind,
            body: body.into(),
            tag: format!("\"{tag}\""),
        }
    }
}

/// The copy; or 304 where the caller holds it.
pub fn answer(headers: &HeaderMap, copy: &Copy, kept: &'static str) -> Response {
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == copy.tag || known == "*");
    let mut response = Response::new(match is_known {
        true => Body::empty(),
        false => Body::from(copy.body.clone()),
    });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let kind = HeaderValue::from_static(copy.kind);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if let Ok(tag) = HeaderValue::from_str(&copy.tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    let kept = HeaderValue::from_static(kept);
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    response
}
