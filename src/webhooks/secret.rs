//! The secrets that deliveries are signed with, and how they lie in the database: sealed.
//!
//! A receiver is shown its secret once; the daemon has to read it at every delivery, so a hash will
//! not do. It is sealed with ChaCha20-Poly1305 under the key that `webhooks.encryption_key` names, or
//! that the daemon keeps in a file of its own beside an SQLite database, never in the database. The
//! endpoint's id is sealed in with it: a secret that is copied to another row does not open.
//!
//! On failure: a secret that does not open is an error and never a guess. What waits for it keeps
//! waiting until the key is back or the secret is rotated.

use crate::clock::Entropy;
use crate::private_file;
use crate::sealing_key::{BadKey, KEY_BYTES, SealingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::Path;
use xrpayd_core::ids::EndpointId;
use zeroize::{Zeroize as _, Zeroizing};

/// The bytes of a secret: as many as the hash that it keys.
const SECRET_BYTES: usize = 32;
/// What the text of a secret begins with, by the Standard Webhooks specification.
const PREFIX: &str = "whsec_";
/// The form of what is sealed: this byte, the mark of the key, the nonce, the rest.
const FORM: u8 = 1;
/// The bytes by which a key is told from another.
const MARK_BYTES: usize = 4;
/// What is hashed with a key for its mark, so that the mark tells nothing else of it.
const MARK_DOMAIN: &[u8] = b"xrpayd webhook sealing key mark v1";
/// What is authenticated with the endpoint's id.
const AAD_DOMAIN: &[u8] = b"xrpayd webhook secret v1 ";

/// A secret of an endpoint. Never shown but by [`SigningSecret::text`].
pub struct SigningSecret(Zeroizing<Vec<u8>>);

impl SigningSecret {
    /// Draws a new one.
    #[must_use]
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new(vec![0_u8; SECRET_BYTES]);
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The text that a receiver is shown, once.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut encoded = STANDARD.encode(self.0.as_slice());
        let text = Zeroizing::new(format!("{PREFIX}{encoded}"));
        encoded.zeroize();
        text
    }

    /// The key of the signature.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret of a text, as a receiver holds it.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        let bytes = STANDARD.decode(text.trim_start_matches(PREFIX)).unwrap();
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Why secrets cannot be sealed or opened. Never holds a key or a secret.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The text is no key.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// The key's file cannot be used.
    #[error("the file of the key that seals webhook secrets cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// The secret was sealed with another key, or is damaged.
    #[error("the secret was sealed with another key, or is damaged")]
    DoesNotOpen,
    /// The cipher refused.
    #[error("the secret cannot be sealed")]
    Cipher,
}

/// Seals and opens secrets.
pub struct Sealer {
    key: LessSafeKey,
    mark: [u8; MARK_BYTES],
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// Takes the key out of its text.
    ///
    /// # Errors
    /// The text is no key.
    pub fn of_text(text: &SecretString) -> Result<Self, SealError> {
        let key = SealingKey::of_text(text)?;
        Self::of_bytes(key.bytes())
    }

    /// The key that is kept in a file, which is made where it is not there.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds no key.
    pub fn of_file(path: &Path, entropy: &dyn Entropy) -> Result<Self, SealError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::of_text(&SecretString::from(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
                entropy.fill(bytes.as_mut());
                let text = Zeroizing::new(STANDARD.encode(bytes.as_ref()));
                private_file::write(path, text.as_bytes())?;
                Self::of_bytes(bytes.as_ref())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, bytes).map_err(|_| BadKey)?;
        let digest = Sha256::new_with_prefix(MARK_DOMAIN)
            .chain_update(bytes)
            .finalize();
        let mut mark = [0_u8; MARK_BYTES];
        mark.copy_from_slice(&digest[..MARK_BYTES]);
        Ok(Self {
            key: LessSafeKey::new(unbound),
            mark,
        })
    }

    /// Seals the secret of an endpoint.
    ///
    /// # Errors
    /// The cipher refuses.
    pub fn seal(
        &self,
        endpoint: EndpointId,
        secret: &SigningSecret,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut sealed = secret.bytes().to_vec();
        let sealing = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad(endpoint)),
            &mut sealed,
        );
        if sealing.is_err() {
            sealed.zeroize();
            return Err(SealError::Cipher);
        }
        let mut whole = vec![FORM];
        whole.extend_from_slice(&self.mark);
        whole.extend_from_slice(&nonce);
        whole.append(&mut sealed);
        Ok(whole)
    }

    /// Opens the secret of an endpoint.
    ///
    /// # Errors
    /// It was sealed with another key, for another endpoint, or is damaged.
    pub fn open(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<SigningSecret, SealError> {
        let broken = || SealError::DoesNotOpen;
        let rest = sealed.strip_prefix(&[FORM]).ok_or_else(broken)?;
        let rest = rest.strip_prefix(&self.mark).ok_or_else(broken)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(broken)?;
        let mut bytes = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(aad(endpoint)), &mut bytes)
            .map_err(|_| broken())?;
        Ok(SigningSecret(Zeroizing::new(opened.to_vec())))
    }
}

fn aad(endpoint: EndpointId) -> Vec<u8> {
    [AAD_DOMAIN, endpoint.to_string().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use std::os::unix::fs::PermissionsExt as _;

    fn sealer(text: &str) -> Sealer {
        Sealer::of_text(&SecretString::from(text)).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_for_its_endpoint_and_for_nothing_else() {
        let entropy = SeededEntropy::new(1);
        let (ours, other) = (sealer(&"ab".repeat(32)), sealer(&"cd".repeat(32)));
        let (one, two) = (EndpointId(1), EndpointId(2));
        let secret = SigningSecret::draw(&entropy);
        let sealed = ours.seal(one, &secret, &entropy).unwrap();
        assert!(
            !sealed
                .windows(8)
                .any(|part| secret.bytes().starts_with(part))
        );
        assert_eq!(ours.open(one, &sealed).unwrap().bytes(), secret.bytes());
        for (sealer, endpoint, bytes) in [
            (&other, one, sealed.clone()),
            (&ours, two, sealed.clone()),
            (&ours, one, Vec::new()),
            (&ours, one, sealed[..sealed.len() - 1].to_vec()),
            (
                &ours,
                one,
                [&sealed[..20], &[sealed[20] ^ 1], &sealed[21..]].concat(),
            ),
        ] {
            let opened = sealer.open(endpoint, &bytes);
            assert!(matches!(opened, Err(SealError::DoesNotOpen)));
        }
        let again = ours.seal(one, &secret, &entropy).unwrap();
        assert_ne!(sealed, again, "a nonce is never used twice");
    }

    #[test]
    fn a_key_is_32_bytes_in_hex_or_base64() {
        assert!(Sealer::of_text(&SecretString::from(STANDARD.encode([7; 32]))).is_ok());
        for text in [
            "",
            "short",
            &"zz".repeat(32),
            &STANDARD.encode([7; 31]),
            &"ab".repeat(33),
        ] {
            let refused = Sealer::of_text(&SecretString::from(text));
            assert!(matches!(refused, Err(SealError::BadKey(_))), "{text}");
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db.webhook-key");
        let entropy = SeededEntropy::new(2);
        let secret = SigningSecret::draw(&entropy);
        let first = Sealer::of_file(&path, &entropy).unwrap();
        let sealed = first.seal(EndpointId(3), &secret, &entropy).unwrap();
        let second = Sealer::of_file(&path, &entropy).unwrap();
        assert!(second.open(EndpointId(3), &sealed).is_ok());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            Sealer::of_file(&path, &entropy),
            Err(SealError::BadKey(_))
        ));
    }

    #[test]
    fn the_text_of_a_secret_is_that_of_the_specification_and_no_formatter_prints_it() {
        let secret = SigningSecret::draw(&SeededEntropy::new(3));
        let text = secret.text();
        let bytes = STANDARD
            .decode(text.strip_prefix("whsec_").unwrap())
            .unwrap();
        assert_eq!(bytes, secret.bytes());
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
