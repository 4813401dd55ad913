//! References to secrets. The configuration holds references alone; a value is read at the moment
//! of use, lives in a [`SecretString`] that no formatter prints and that is wiped when dropped.

use secrecy::SecretString;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use xrpayd_core::address::base58check_decode;
use zeroize::Zeroize as _;

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `file:PATH`: the file's text without the newline at its end.
    File(PathBuf),
    /// `env:NAME`: an environment variable. Refused in production.
    Env(String),
    /// `vault:PATH#FIELD`: a field of a secret in HashiCorp Vault.
    Vault {
        /// The path of the secret.
        path: String,
        /// The field within it.
        field: String,
    },
    /// `aws-sm:NAME`: a secret in AWS Secrets Manager.
    AwsSecretsManager(String),
}

/// Why a text is not a reference. Never holds the text: it may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRef {
    /// Some other text.
    #[error(
        "must be a reference (file:PATH, env:NAME, vault:PATH#FIELD or aws-sm:NAME), never the \
         secret itself"
    )]
    NotAReference,
    /// A seed in the clear.
    #[error(
        "holds a seed in the clear: move it to a file that only the daemon may read, refer to it as \
         file:PATH, and treat this seed as exposed"
    )]
    SeedInTheClear,
}

impl FromStr for SecretRef {
    type Err = BadRef;

    fn from_str(text: &str) -> Result<Self, BadRef> {
        let some = |rest: &str| (!rest.is_empty()).then(|| rest.to_owned());
        let parsed = match text.split_once(':') {
            Some(("file", path)) => some(path).map(|path| Self::File(path.into())),
            Some(("env", name)) => some(name)
                .filter(|name| !name.contains(['=', '\0']))
                .map(Self::Env),
            Some(("vault", rest)) => match rest.split_once('#') {
                Some((path, field)) if !path.is_empty() && !field.is_empty() => Some(Self::Vault {
                    path: path.to_owned(),
                    field: field.to_owned(),
                }),
                Some(_) | None => None,
            },
            Some(("aws-sm", name)) => some(name).map(Self::AwsSecretsManager),
            Some(_) | None => None,
        };
        parsed.ok_or_else(|| {
            if looks_like_a_seed(text) {
                BadRef::SeedInTheClear
            } else {
                BadRef::NotAReference
            }
        })
    }
}

/// Whether a text decodes as a family seed of either algorithm.
#[must_use]
pub fn looks_like_a_seed(text: &str) -> bool {
    match base58check_decode(text.trim()) {
        Ok(mut payload) => {
            let seed = matches!(payload.as_slice(), [0x21, rest @ ..] if rest.len() == 16)
                || matches!(payload.as_slice(), [0x01, 0xE1, 0x4B, rest @ ..] if rest.len() == 16);
            payload.zeroize();
            seed
        }
        Err(_) => false,
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Vault { path, field } => write!(f, "vault:{path}#{field}"),
            Self::AwsSecretsManager(name) => write!(f, "aws-sm:{name}"),
        }
    }
}

/// Why a secret could not be had. Names the reference, never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret {reference} cannot be read")]
    Unreadable {
        /// Which one.
        reference: SecretRef,
        /// What the system said.
        source: std::io::Error,
    },
    /// The variable is not set, or is not text.
    #[error("the secret {reference} is not set in the environment, or is not text")]
    NotSet {
        /// Which one.
        reference: SecretRef,
    },
    /// There is nothing in it.
    #[error("the secret {reference} is empty")]
    Empty {
        /// Which one.
        reference: SecretRef,
    },
    /// Far too long for a secret, or not text.
    #[error("the secret {reference} is not a text of at most {SECRET_BYTES_MAX} bytes")]
    NotASecret {
        /// Which one.
        reference: SecretRef,
    },
    /// A kind of store that this version cannot ask.
    #[error(
        "the secret {reference} cannot be had: this version reads secrets from file: and env: only"
    )]
    NotSupported {
        /// Which one.
        reference: SecretRef,
    },
}

/// No seed, key or URL is longer; a wrong path to a large file must not be read whole.
pub const SECRET_BYTES_MAX: usize = 16 * 1024;

/// Reads the secret that a reference names.
///
/// # Errors
/// Says which reference failed and why.
pub fn resolve(reference: &SecretRef) -> Result<SecretString, SecretError> {
    let text = match reference {
        SecretRef::File(path) => read_file(reference, path)?,
        SecretRef::Env(name) => std::env::var(name).map_err(|_| SecretError::NotSet {
            reference: reference.clone(),
        })?,
        SecretRef::Vault { .. } | SecretRef::AwsSecretsManager(_) => {
            return Err(SecretError::NotSupported {
                reference: reference.clone(),
            });
        }
    };
    let mut text = text;
    let kept = text.trim_end_matches(['\r', '\n']).len();
    let secret = SecretString::from(&text[..kept]);
    text.zeroize();
    if kept == 0 {
        return Err(SecretError::Empty {
            reference: reference.clone(),
        });
    }
    Ok(secret)
}

fn read_file(reference: &SecretRef, path: &Path) -> Result<String, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        reference: reference.clone(),
        source,
    };
    let not_a_secret = || SecretError::NotASecret {
        reference: reference.clone(),
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(not_a_secret());
    }
    // One byte more than may be: enough to see that it is too long. The room is taken at once, so
    // that no half-read copy stays behind in memory.
    let bound = SECRET_BYTES_MAX + 1;
    let mut bytes = Vec::with_capacity(bound);
    let limit = u64::try_from(bound).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > SECRET_BYTES_MAX {
        bytes.zeroize();
        return Err(not_a_secret());
    }
    String::from_utf8(bytes).map_err(|error| {
        error.into_bytes().zeroize();
        not_a_secret()
    })
}

/// What is doubtful about a reference that the daemon may have to follow: a file that others may
/// read, one that is not there, a kind that this version cannot ask. Looks, and reads nothing.
#[must_use]
pub fn doubt(reference: &SecretRef) -> Option<String> {
    match reference {
        SecretRef::File(path) => match std::fs::metadata(path) {
            Ok(metadata) => open_to_others(&metadata).then(|| {
                format!(
                    "refers to {}, which others than its owner may read: set its mode to 0400 or 0600",
                    path.display()
                )
            }),
            Err(error) => Some(format!(
                "refers to {}, which cannot be read: {error}",
                path.display()
            )),
        },
        SecretRef::Env(name) => std::env::var_os(name)
            .is_none()
            .then(|| format!("refers to the variable {name}, which is not set")),
        SecretRef::Vault { .. } | SecretRef::AwsSecretsManager(_) => Some(format!(
            "refers to {reference}, and this version reads secrets from file: and env: only: the \
             daemon will refuse to start"
        )),
    }
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}
