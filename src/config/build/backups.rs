//! What section `store` says of backups.

use super::super::read::Reader;
use super::super::schema::Backups;
use super::positive;
use std::path::PathBuf;
use std::time::Duration;

/// Oftener than this a backup is still under way when the next one is due.
const EVERY_MIN: Duration = Duration::from_secs(60);
const EVERY: &str = "store.backup_every";

pub(super) fn backups(r: &mut Reader) -> Option<Backups> {
    let dir = r.optional::<String>("store.backup_dir").map(PathBuf::from);
    let every = positive(r, EVERY).filter(|every| {
        let is_fit = *every >= EVERY_MIN;
        if !is_fit {
            r.error(EVERY, "must be a minute at least");
        }
        is_fit
    });
    let keep = positive(r, "store.backup_keep");
    let keep_min = r.number("store.backup_keep_min", 1..=10_000);
    let key = r.optional("store.backup_key");
    Some(Backups {
        dir,
        every: every?,
        keep: keep?,
        keep_min: keep_min?,
        key,
    })
}
