//! Signatures by the Standard Webhooks specification 1.0.
//!
//! `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; while a secret
//! is being rotated it bears one signature by each secret, with a space between. The id is the same
//! over all tries of an event, the timestamp is that of the try.

use super::secret::SigningSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use hyper::HeaderMap;
use sha2::Sha256;
use xrpayd_core::ids::UnixMs;

/// What a receiver verifies: three headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`: seconds since the epoch.
    pub timestamp: String,
    /// `webhook-signature`
    pub signature: String,
}

impl Headers {
    /// As they are sent; none where one is no header, which nothing that is made here is.
    #[must_use]
    pub fn as_sent(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", &self.id),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ] {
            map.insert(name, value.parse().ok()?);
        }
        Some(map)
    }
}

/// Signs one try with every secret that holds.
#[must_use]
pub fn sign(secrets: &[SigningSecret], id: &str, at: UnixMs, body: &[u8]) -> Headers {
    let timestamp = at.0.div_euclid(1_000).to_string();
    let signatures: Vec<String> = secrets
        .iter()
        .filter_map(|secret| signature(secret, id, &timestamp, body))
        .collect();
    Headers {
        id: id.to_owned(),
        timestamp,
        signature: signatures.join(" "),
    }
}

/// One signature. A key of any length keys an HMAC, so there always is one.
fn signature(secret: &SigningSecret, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).ok()?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    Some(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SeededEntropy, SystemClock};

    #[test]
    fn the_vector_of_the_specification_is_met() {
        let secret = SigningSecret::of_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let headers = sign(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            UnixMs(1_614_265_330_999),
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(headers.timestamp, "1614265330");
        assert_eq!(
            headers.signature,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_reference_library_verifies_every_secret_of_a_rotation_and_nothing_that_was_changed() {
        let entropy = SeededEntropy::new(5);
        let secrets: Vec<_> = (0..3).map(|_| SigningSecret::draw(&entropy)).collect();
        let texts: Vec<_> = secrets.iter().map(SigningSecret::text).collect();
        let body = r#"{"type":"payment.succeeded","data":{"reference":"größer"}}"#.as_bytes();
        let now = SystemClock::new().now();
        let mut signed = sign(&secrets[..2], "evt_7", now, body);
        let verify = |text: &str, headers: &Headers, body: &[u8]| {
            let webhook = standardwebhooks::Webhook::new(text).unwrap();
            webhook.verify(body, &headers.as_sent().unwrap()).is_ok()
        };
        assert!(verify(&texts[0], &signed, body) && verify(&texts[1], &signed, body));
        assert!(
            !verify(&texts[2], &signed, body),
            "a secret that did not sign"
        );
        assert!(!verify(&texts[0], &signed, &body[1..]), "another body");
        let old = sign(&secrets[..1], "evt_7", now.plus_ms(-600_000), body);
        assert!(!verify(&texts[0], &old, body), "a try of ten minutes ago");
        signed.id = "evt_8".to_owned();
        assert!(!verify(&texts[0], &signed, body), "another event");
    }
}
