//! The text form of a key that seals what lies on a disk or in a database: 32 random bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// The bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the base64 or the hexadecimal digits of {KEY_BYTES} random bytes, as from `openssl rand -base64 {KEY_BYTES}`"
)]
pub struct BadKey;

/// A key, wiped when it is dropped.
pub(crate) struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

impl SealingKey {
    /// Takes the key out of its text.
    ///
    /// # Errors
    /// The text is no key.
    pub(crate) fn of_text(text: &SecretString) -> Result<Self, BadKey> {
        let text = text.expose_secret().trim();
        let decoded = if text.len() == KEY_BYTES * 2 {
            hex::decode(text).ok()
        } else {
            STANDARD.decode(text).ok()
        };
        let decoded = Zeroizing::new(decoded.ok_or(BadKey)?);
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return Err(BadKey);
        }
        bytes.copy_from_slice(&decoded);
        Ok(Self(bytes))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}
