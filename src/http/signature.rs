//! Signed requests, for keys that require them.
//!
//! `xrpayd-signature: v1,<base64>` is HMAC-SHA256, keyed with the key's secret, over
//! `<timestamp>.<METHOD>.<path and query>.<body>`. The timestamp is seconds or milliseconds since the
//! epoch. What verifies is good once: the store keeps the signatures that were used for as long as their
//! timestamps would be believed, so neither another replica nor the next life of the daemon takes one
//! again. Where the store does not answer the request is refused rather than let in unchecked.

use super::auth::{Denied, Reason, SigningSecret};
use super::problem::{Code, Problem};
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use xrpayd_core::ids::UnixMs;

/// How far a timestamp may be from now, either way.
const TOLERANCE_MS: i64 = 5 * 60 * 1000;
/// Timestamps from here on are milliseconds; as seconds they would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
/// How long a used signature is kept after nobody should believe it any more: longer than the clocks of
/// two replicas may differ.
const KEPT_LONGER_MS: i64 = 10 * 60 * 1000;

/// A signature that verifies, and is good once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// What it is known by.
    pub tag: [u8; 32],
    /// Until when it would be believed.
    pub until: UnixMs,
}

/// The signed parts of a request.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path with its query, as it was sent.
    pub target: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

fn deny(code: Code, detail: &str) -> Denied {
    Denied {
        reason: Reason::Signature,
        problem: Problem::new(code, detail),
    }
}

/// What a signature is answered that was used before.
pub fn replayed() -> Denied {
    let detail = "The signature has been used before. Sign each request anew.";
    deny(Code::SignatureReplayed, detail)
}

/// Signatures whose time was up before this can be forgotten.
#[must_use]
pub const fn forgotten_before(now: UnixMs) -> UnixMs {
    UnixMs(now.0.saturating_sub(KEPT_LONGER_MS))
}

/// Verifies the signature of one request.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    secret: &SigningSecret,
    request: &Signed<'_>,
    now: UnixMs,
) -> Result<Verified, Denied> {
    let header = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok());
    let (Some(timestamp), Some(signature)) =
        (header("xrpayd-timestamp"), header("xrpayd-signature"))
    else {
        let detail = "The key requires the headers xrpayd-timestamp and xrpayd-signature.";
        return Err(deny(Code::SignatureMissing, detail));
    };
    let at = read_timestamp(timestamp).ok_or_else(|| {
        let detail = "The header xrpayd-timestamp must be a time since the epoch in digits.";
        deny(Code::SignatureInvalid, detail)
    })?;
    if now.since_ms(at).saturating_abs() > TOLERANCE_MS {
        let detail = "The header xrpayd-timestamp is too far from the daemon's time. Sign the \
                      request again.";
        return Err(deny(Code::SignatureStale, detail));
    }
    let invalid = || deny(Code::SignatureInvalid, "The signature does not verify.");
    let tag = signature
        .split(' ')
        .find_map(|one| one.strip_prefix("v1,"))
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(invalid)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.0.as_bytes()).map_err(|_| invalid())?;
    for part in [
        timestamp.as_bytes(),
        request.method.as_str().as_bytes(),
        request.target.as_bytes(),
    ] {
        mac.update(part);
        mac.update(b".");
    }
    mac.update(request.body);
    mac.verify_slice(&tag).map_err(|_| invalid())?;
    Ok(Verified {
        tag: tag.try_into().map_err(|_| invalid())?,
        until: at.plus_ms(TOLERANCE_MS),
    })
}

fn read_timestamp(text: &str) -> Option<UnixMs> {
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    if number < MILLISECONDS_FROM {
        number.checked_mul(1000).map(UnixMs)
    } else {
        Some(UnixMs(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const NOW: UnixMs = UnixMs(1_800_000_000_500);

    fn sign(secret: &str, timestamp: &str, text: &str) -> HeaderMap {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{timestamp}.POST./v1/payments.{text}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert(
            "xrpayd-timestamp",
            HeaderValue::from_str(timestamp).unwrap(),
        );
        headers.insert(
            "xrpayd-signature",
            HeaderValue::from_str(&signature).unwrap(),
        );
        headers
    }

    fn verified(headers: &HeaderMap, body: &str, now: UnixMs) -> Result<Verified, Code> {
        let secret = SigningSecret(zeroize::Zeroizing::new("s3cret".to_owned()));
        let request = Signed {
            method: &Method::POST,
            target: "/v1/payments",
            headers,
            body: body.as_bytes(),
        };
        verify(&secret, &request, now).map_err(|denied| denied.problem.code)
    }

    #[test]
    fn a_signature_is_good_for_the_request_it_was_made_for() {
        let headers = sign("s3cret", "1800000000", "{}");
        assert_eq!(verified(&headers, "{ }", NOW), Err(Code::SignatureInvalid));
        let one = verified(&headers, "{}", NOW).unwrap();
        assert_eq!(one.until, UnixMs(1_800_000_000_000 + TOLERANCE_MS));
        assert_eq!(verified(&headers, "{}", NOW).unwrap(), one);
        let in_ms = sign("s3cret", "1800000000499", "{}");
        assert_ne!(verified(&in_ms, "{}", NOW).unwrap().tag, one.tag);
        let other = sign("another", "1800000000", "{}");
        assert_eq!(verified(&other, "{}", NOW), Err(Code::SignatureInvalid));
        let none = HeaderMap::new();
        assert_eq!(verified(&none, "{}", NOW), Err(Code::SignatureMissing));
    }

    #[test]
    fn a_timestamp_is_believed_for_five_minutes_either_way() {
        let headers = sign("s3cret", "1800000001", "{}");
        let at = |ms| verified(&headers, "{}", UnixMs(1_800_000_001_000 + ms));
        assert_eq!(at(TOLERANCE_MS + 1), Err(Code::SignatureStale));
        assert_eq!(at(-TOLERANCE_MS - 1), Err(Code::SignatureStale));
        assert!(at(TOLERANCE_MS).is_ok() && at(-TOLERANCE_MS).is_ok());
        // It is remembered for longer than it is believed, by any clock that is not far off.
        assert!(forgotten_before(NOW) < at(0).unwrap().until.plus_ms(-2 * TOLERANCE_MS));
        let words = sign("s3cret", "noon", "{}");
        assert_eq!(verified(&words, "{}", NOW), Err(Code::SignatureInvalid));
    }
}
