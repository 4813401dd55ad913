//! API keys as they are made: the text that is shown once, and what the database keeps of it.

use crate::clock::Entropy;
use crate::http::auth::hash_secret;
use zeroize::Zeroizing;

/// Every scope that a key can have.
pub const SCOPES: [&str; 7] = [
    "payments:read",
    "payments:write",
    "payments:approve",
    "invoices:read",
    "invoices:write",
    "webhooks:write",
    "admin",
];
/// The random bytes of a key's public part: no two keys of a daemon ever share one.
const ID_BYTES: usize = 8;
/// The random bytes of a key's secret part: beyond guessing, so that one plain hash protects it.
const SECRET_BYTES: usize = 32;
const PREFIX: &str = "xrpayd_";

/// A key that was just drawn, or whose text was kept by its owner.
pub struct KeyText {
    /// The public part.
    pub id: String,
    secret: Zeroizing<String>,
}

impl KeyText {
    /// Draws a new key.
    #[must_use]
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut id = [0_u8; ID_BYTES];
        let mut secret = Zeroizing::new([0_u8; SECRET_BYTES]);
        entropy.fill(&mut id);
        entropy.fill(secret.as_mut());
        Self {
            id: hex::encode(id),
            secret: Zeroizing::new(hex::encode(*secret)),
        }
    }

    /// The same secret under the public part of a key that exists.
    #[must_use]
    pub fn of(self, id: &str) -> Self {
        let id = id.to_owned();
        Self { id, ..self }
    }

    /// Reads the text of a key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self {
            id: id.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// What a request is checked against: the hash of the secret as it is written.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        hash_secret(&self.secret)
    }

    /// The whole key, to be shown once.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}_{}", self.id, *self.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;

    #[test]
    fn a_key_is_its_id_and_its_secret_and_only_the_hash_is_kept() {
        let fresh = KeyText::draw(&SeededEntropy::new(7));
        let text = fresh.text();
        let (id, secret) = text.strip_prefix(PREFIX).unwrap().split_once('_').unwrap();
        assert_eq!((id.len(), secret.len()), (ID_BYTES * 2, SECRET_BYTES * 2));
        assert_eq!(fresh.secret_hash(), hash_secret(secret));
        assert_eq!(
            KeyText::parse(&text).unwrap().secret_hash(),
            fresh.secret_hash()
        );
        assert_ne!(*text, *KeyText::draw(&SeededEntropy::new(8)).text());
        assert!(KeyText::parse("xrpayd_").is_none() && KeyText::parse("").is_none());
    }
}
