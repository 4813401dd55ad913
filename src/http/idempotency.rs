//! Requests that create something, and their repetition: the Idempotency-Key header, and the answers to
//! the first request and to every later one.

use super::problem::{Code, Problem};
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The longest idempotency key.
const KEY_LEN_MAX: usize = 255;
const KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Reads the header where it has to be there.
///
/// # Errors
/// 400 where it is not, or cannot be used.
pub fn required(headers: &HeaderMap) -> Result<&str, Problem> {
    optional(headers)?.ok_or_else(|| {
        let detail = "Send an Idempotency-Key header, new for each payment and the same for each \
                      retry of it; a UUIDv7 serves well.";
        Problem::new(Code::IdempotencyKeyMissing, detail)
            .at("/header/idempotency-key", "is required")
    })
}

/// Reads the header where it may be there.
///
/// # Errors
/// 400 where it cannot be used.
pub fn optional(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let invalid = |detail: &str| {
        Problem::new(
            Code::IdempotencyKeyInvalid,
            format!("The Idempotency-Key header {detail}."),
        )
        .at("/header/idempotency-key", detail)
    };
    if values.next().is_some() {
        return Err(invalid("is given more than once"));
    }
    let bytes = value.as_bytes();
    let well_formed =
        (1..=KEY_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    if !well_formed {
        return Err(invalid("must be 1 to 255 visible ASCII characters"));
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| invalid("must be 1 to 255 visible ASCII characters"))
}

/// The answer to the request that created something, which is now at `path`.
pub fn created(path: &str, what: impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(what)).into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The answer to the same request once more.
pub fn replayed(what: impl Serialize) -> Response {
    let mut response = Json(what).into_response();
    let yes = HeaderValue::from_static("true");
    response.headers_mut().insert(REPLAYED, yes);
    response
}
