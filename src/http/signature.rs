//! Signed requests, for keys that require them.
//!
//! `xrpayd-signature: v1,<base64>` is HMAC-SHA256, keyed with the key's secret, over
//! `<timestamp>.<METHOD>.<path and query>.<body>`. The timestamp is seconds or milliseconds since the
//! epoch. Owns the memory of signatures that were used: they are kept for as long as their timestamp
//! would be believed, and a timestamp from before this process began is not believed, so a restart
//! forgets nothing that matters. When the memory is full, requests are refused rather than let in
//! unchecked.

use super::auth::{Denied, SigningSecret};
use super::problem::{Code, Problem};
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use xrpayd_core::ids::UnixMs;

/// How far a timestamp may be from now, either way.
const TOLERANCE_MS: i64 = 5 * 60 * 1000;
/// Timestamps from here on are milliseconds; as seconds they would be in the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
/// The most signatures that are remembered.
const SEEN_LEN_MAX: usize = 200_000;

/// Verifies signatures, each once.
#[derive(Debug)]
pub struct Verifier {
    started_at: UnixMs,
    seen: Mutex<HashMap<[u8; 32], UnixMs>>,
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
        reason: "signature",
        problem: Problem::new(code, detail),
    }
}

impl Verifier {
    /// Believes nothing from before `now`.
    #[must_use]
    pub fn new(now: UnixMs) -> Self {
        Self {
            // Timestamps in seconds are rounded down.
            started_at: UnixMs(now.0 - now.0.rem_euclid(1000)),
            seen: Mutex::default(),
        }
    }

    /// Verifies one request.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(
        &self,
        secret: &SigningSecret,
        request: &Signed<'_>,
        now: UnixMs,
    ) -> Result<(), Denied> {
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
        if now.since_ms(at).saturating_abs() > TOLERANCE_MS || at < self.started_at {
            let detail = "The header xrpayd-timestamp is too far from the daemon's time, or from \
                          before the daemon's start. Sign the request again.";
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
        let tag: [u8; 32] = tag.try_into().map_err(|_| invalid())?;
        self.remember(tag, at, now)
    }

    fn remember(&self, tag: [u8; 32], at: UnixMs, now: UnixMs) -> Result<(), Denied> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SEEN_LEN_MAX {
            seen.retain(|_, at| now.since_ms(*at) <= TOLERANCE_MS);
        }
        if seen.contains_key(&tag) {
            let detail = "The signature has been used before. Sign each request anew.";
            return Err(deny(Code::SignatureReplayed, detail));
        }
        if seen.len() >= SEEN_LEN_MAX {
            let detail = "More signed requests than the daemon can tell apart.";
            return Err(deny(Code::Overloaded, detail));
        }
        seen.insert(tag, at);
        Ok(())
    }
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

    fn verify(verifier: &Verifier, headers: &HeaderMap, body: &str, now: UnixMs) -> Option<Code> {
        let secret = SigningSecret(zeroize::Zeroizing::new("s3cret".to_owned()));
        let request = Signed {
            method: &Method::POST,
            target: "/v1/payments",
            headers,
            body: body.as_bytes(),
        };
        let outcome = verifier.verify(&secret, &request, now);
        outcome.err().map(|denied| denied.problem.code)
    }

    #[test]
    fn a_signature_is_good_once_for_the_request_it_was_made_for() {
        let verifier = Verifier::new(NOW);
        let headers = sign("s3cret", "1800000000", "{}");
        assert_eq!(
            verify(&verifier, &headers, "{ }", NOW),
            Some(Code::SignatureInvalid)
        );
        assert_eq!(verify(&verifier, &headers, "{}", NOW), None);
        assert_eq!(
            verify(&verifier, &headers, "{}", NOW),
            Some(Code::SignatureReplayed)
        );
        let in_ms = sign("s3cret", "1800000000499", "{}");
        assert_eq!(verify(&verifier, &in_ms, "{}", NOW), None);
        let other = sign("another", "1800000000", "{}");
        assert_eq!(
            verify(&verifier, &other, "{}", NOW),
            Some(Code::SignatureInvalid)
        );
        assert_eq!(
            verify(&verifier, &HeaderMap::new(), "{}", NOW),
            Some(Code::SignatureMissing)
        );
    }

    #[test]
    fn a_timestamp_is_believed_for_five_minutes_and_never_from_before_the_start() {
        let verifier = Verifier::new(NOW);
        let headers = sign("s3cret", "1800000001", "{}");
        let late = UnixMs(1_800_000_001_000 + TOLERANCE_MS);
        assert_eq!(
            verify(&verifier, &headers, "{}", late.plus_ms(1)),
            Some(Code::SignatureStale)
        );
        assert_eq!(verify(&verifier, &headers, "{}", late), None);
        let before = sign("s3cret", "1799999999", "{}");
        assert_eq!(
            verify(&verifier, &before, "{}", NOW),
            Some(Code::SignatureStale)
        );
        let words = sign("s3cret", "noon", "{}");
        assert_eq!(
            verify(&verifier, &words, "{}", NOW),
            Some(Code::SignatureInvalid)
        );
    }
}
