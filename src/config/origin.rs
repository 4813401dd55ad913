//! Where a value came from, and what is wrong with it.

use std::fmt;
use std::path::PathBuf;

/// The place a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The defaults embedded in the binary.
    Default,
    /// The embedded profile of that name.
    Profile(String),
    /// A file given with `--config`, with the line where it is known.
    File {
        /// The path as it was given.
        path: PathBuf,
        /// Counted from one.
        line: Option<usize>,
    },
    /// An environment variable.
    Env(String),
    /// An option of the command line, or the command itself.
    Command(String),
}

impl Origin {
    /// Whether the operator wrote this value, rather than the makers of the binary.
    #[must_use]
    pub const fn is_operators(&self) -> bool {
        match self {
            Self::Default | Self::Profile(_) => false,
            Self::File { .. } | Self::Env(_) | Self::Command(_) => true,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "variable {name}"),
            Self::Command(name) => write!(f, "{name}"),
        }
    }
}

/// One thing that is wrong, or doubtful, with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as `limits.max_payment_xrp`; empty where no single one is at fault.
    pub key: String,
    /// Where it was written, where it was written at all.
    pub origin: Option<Origin>,
    /// One sentence, in words that help; never the text of a secret.
    pub message: String,
}

impl Problem {
    /// A problem of one setting.
    #[must_use]
    pub fn new(key: impl Into<String>, origin: Option<Origin>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            origin,
            message: message.into(),
        }
    }
}

impl Problem {
    /// The section of the setting; empty where no single one is at fault.
    #[must_use]
    pub fn section(&self) -> &str {
        self.key.split(['.', '[']).next().unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)?;
        } else {
            write!(f, "{} {}", self.key, self.message)?;
        }
        match &self.origin {
            Some(origin) => write!(f, " ({origin})"),
            None => Ok(()),
        }
    }
}
