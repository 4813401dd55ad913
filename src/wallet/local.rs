//! A signer whose key is in this process's memory, expanded once and wiped when dropped.

use super::{SignError, Signer};
use secrecy::{ExposeSecret, SecretString};
use xrpayd_codec::{BadSeed, Keypair, PublicKey};

/// Signs with a key pair held in memory.
#[derive(Debug)]
pub struct LocalSigner {
    keypair: Keypair,
}

impl LocalSigner {
    /// The signer of a seed in its text form.
    ///
    /// # Errors
    /// The text is not a seed; the error never repeats it.
    pub fn from_seed(seed: &SecretString) -> Result<Self, BadSeed> {
        Keypair::from_seed(seed.expose_secret().trim()).map(|keypair| Self { keypair })
    }
}

impl Signer for LocalSigner {
    fn public_key(&self) -> &PublicKey {
        self.keypair.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.keypair.sign(message))
    }
}
