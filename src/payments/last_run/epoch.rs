//! Under which taking of its lease a wallet was seen last, as a machine writes it down.

use super::{get, put};
use crate::store::Tenure;
use std::io;
use std::path::Path;

/// A holder's identity is not longer than this: a name and a few random digits.
const HOLDER_CHARS_MAX: usize = 100;

/// A taking that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    epoch: u64,
    holder: String,
}

impl Seen {
    pub(super) fn of(tenure: &Tenure) -> Self {
        Self {
            epoch: tenure.epoch,
            holder: tenure.holder.chars().take(HOLDER_CHARS_MAX).collect(),
        }
    }

    /// Whether a database in which the wallet is held under `tenure` cannot have had this one.
    pub(super) fn contradicts(&self, tenure: &Tenure) -> bool {
        let now = Self::of(tenure);
        self.epoch > now.epoch || self.epoch == now.epoch && self.holder != now.holder
    }

    /// What contradicts every taking: that the database went back, kept until somebody has waited.
    pub(super) fn went_back() -> Self {
        Self {
            epoch: u64::MAX,
            holder: "nobody".to_owned(),
        }
    }

    pub(super) const fn is_after(&self, other: &Self) -> bool {
        self.epoch > other.epoch
    }
}

/// Reads it; what is no record counts as none.
pub(super) fn read(file: &Path) -> io::Result<Option<Seen>> {
    Ok(get(file)?.and_then(|text| parse(&text)))
}

/// Writes it down, so that it outlives the machine's power.
pub(super) fn write(file: &Path, seen: &Seen) -> io::Result<()> {
    let Seen { epoch, holder } = seen;
    put(file, &format!("{epoch:>20} {holder:<HOLDER_CHARS_MAX$}\n"))
}

fn parse(text: &str) -> Option<Seen> {
    let mut words = text.strip_suffix('\n')?.split_ascii_whitespace();
    let epoch = words.next()?.parse().ok()?;
    let holder = words.next()?.to_owned();
    words.next().is_none().then_some(Seen { epoch, holder })
}
