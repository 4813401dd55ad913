//! The wall clock of one daemon among several, set by libfaketime while it runs.

use crate::support::outside::outside;
use crate::support::process::Surroundings;

/// The clock is wrong by what this file says, such as `-1h`, read again every second.
const OFFSET_FILE: &str = "clock";

/// A wall clock that libfaketime sets, at any time, for the processes in its surroundings. What measures
/// spans of time is left alone, as on a machine whose clock is set.
#[derive(Debug)]
pub struct WrongClock {
    folder: tempfile::TempDir,
    library: String,
}

impl WrongClock {
    /// A clock that is right as yet; `None`, said aloud, where libfaketime is missing. Under CI that
    /// fails.
    pub fn new() -> Option<Self> {
        let library = outside("XRPAYD_TEST_FAKETIME", "a clock that is set", "packages.sh")?;
        let clock = Self {
            folder: tempfile::tempdir().unwrap(),
            library,
        };
        clock.set("+0");
        Some(clock)
    }

    /// Sets it: `-1h`, `+2d`, `+0`.
    pub fn set(&self, offset: &str) {
        // In one step, so that no process reads half of it.
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, offset).unwrap();
        std::fs::rename(fresh, self.folder.path().join(OFFSET_FILE)).unwrap();
    }

    /// What a daemon with this clock is started in.
    pub fn surroundings(&self) -> Surroundings {
        let file = self.folder.path().join(OFFSET_FILE);
        let environment = [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        Surroundings {
            launcher: Vec::new(),
            environment: environment.into_iter().map(own).collect(),
        }
    }
}
