//! What this machine signed last for a wallet, kept beside the database and not in it.
//!
//! A backup that takes the database's place looks like a restart: what was signed since, and no ledger
//! has validated yet, stands in no table and on no page, and would be signed a second time. So after
//! every commit that signs, and before the bytes leave, one of its attempts is written down here with
//! the last ledger that anything in flight may name. A database that does not hold that attempt is
//! older than this machine's last run, and the wallet signs nothing before the journal has passed that
//! ledger. Where nothing is written down the machine is new to the database: it waits for a whole
//! window.
//!
//! A folder that several machines' daemons have each for themselves also keeps under which taking of the
//! wallet's lease the wallet was seen last, by whomever. Epochs only grow: a database in which that one is
//! still to come, or is another holder's, went back, whoever signed there since (`epoch`).
//!
//! Owns one file a wallet, and beside it one for the epoch: in a folder that no backup restores, or else beside the file of an SQLite
//! database, which tells of a backup of that file alone. Off on PostgreSQL without a folder. What cannot
//! be read as a record counts as none. A write that fails stops the step before anything leaves.

mod epoch;

use crate::store::{Tenure, beside};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use xrpayd_core::engine::Desk;
use xrpayd_core::ids::{LedgerIndex, TxHash};
use xrpayd_core::payment::Slot;

/// More than any record takes.
const RECORD_BYTES_MAX: u64 = 256;

/// Where the record of one wallet is kept.
#[derive(Debug, Clone)]
pub struct LastRun {
    file: Option<PathBuf>,
    /// Where the epoch is kept; nowhere beside a file, which one daemon has at a time.
    epoch: Option<PathBuf>,
}

/// What is written down of a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// The wallet began here, and nothing was signed yet; or it was waited for.
    Fresh,
    /// Something was signed.
    Signed(Mark),
}

/// One of the attempts that were signed last, and how far all that is in flight may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What the attempt consumes.
    pub slot: Slot,
    /// Its hash.
    pub hash: TxHash,
    /// The last ledger that anything in flight may name.
    pub last_ledger: LedgerIndex,
}

/// What there is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing is kept.
    Off,
    /// No record, or none that can be read.
    Nothing,
    /// A record.
    Kept(Record),
}

impl LastRun {
    /// The record of `wallet` in `folder`; without one beside the `database`, where that is a file.
    #[must_use]
    pub fn of(folder: Option<&Path>, database: Option<&Path>, wallet: &str) -> Self {
        let name = format!("{wallet}.last");
        let beside = |database: &Path| beside(database, &format!(".{name}"));
        let inside = |folder: &Path| folder.join(&name);
        let is_shared = database.is_none();
        let epoch = folder.filter(|_| is_shared);
        Self {
            file: folder.map(inside).or_else(|| database.map(beside)),
            epoch: epoch.map(|folder| folder.join(format!("{wallet}.epoch"))),
        }
    }

    /// Whether the database went back, as the taking under which it is held now tells. Where it did, that
    /// is kept: the next taking would not tell it any more, and may come before anybody has waited.
    ///
    /// # Errors
    /// There is a file and it cannot be read or written.
    pub async fn went_back(&self, tenure: &Tenure) -> io::Result<bool> {
        let Some(file) = self.epoch.clone() else {
            return Ok(false);
        };
        let tenure = tenure.clone();
        off_the_loop(move || {
            let is_back = epoch::read(&file)?.is_some_and(|kept| kept.contradicts(&tenure));
            if is_back {
                epoch::write(&file, &epoch::Seen::went_back())?;
            }
            Ok(is_back)
        })
        .await
    }

    /// Keeps that the database went back, as somebody saw who had looked at it before.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn saw_it_go_back(&self) -> io::Result<()> {
        let Some(file) = self.epoch.clone() else {
            return Ok(());
        };
        off_the_loop(move || epoch::write(&file, &epoch::Seen::went_back())).await
    }

    /// Writes down under which taking the wallet is held, whatever was seen before: what that asked for
    /// is done.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn held_under(&self, tenure: &Tenure) -> io::Result<()> {
        let Some(file) = self.epoch.clone() else {
            return Ok(());
        };
        let seen = epoch::Seen::of(tenure);
        off_the_loop(move || epoch::write(&file, &seen)).await
    }

    /// Writes down that somebody holds the wallet under a later taking than was seen before.
    ///
    /// # Errors
    /// The file could not be read or written.
    pub async fn saw(&self, tenure: &Tenure) -> io::Result<()> {
        let Some(file) = self.epoch.clone() else {
            return Ok(());
        };
        let seen = epoch::Seen::of(tenure);
        off_the_loop(move || {
            let is_later = epoch::read(&file)?.is_none_or(|kept| seen.is_after(&kept));
            match is_later {
                true => epoch::write(&file, &seen),
                false => Ok(()),
            }
        })
        .await
    }

    /// Reads what is written down.
    ///
    /// # Errors
    /// There is a file and it cannot be read.
    pub async fn read(&self) -> io::Result<Found> {
        let Some(file) = self.file.clone() else {
            return Ok(Found::Off);
        };
        off_the_loop(move || read(&file)).await
    }

    /// Writes a record down, so that it outlives the machine's power.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn write(&self, record: Record) -> io::Result<()> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        off_the_loop(move || write(&file, record)).await
    }

    /// Writes down what is in flight, where anything is. How far an earlier record reached is not
    /// forgotten: what it stood for may be in flight beside it, unknown to this database.
    ///
    /// # Errors
    /// The file could not be read or written.
    pub async fn cover(&self, desk: &Desk) -> io::Result<()> {
        let (Some(file), Some(mark)) = (self.file.clone(), mark_of(desk)) else {
            return Ok(());
        };
        off_the_loop(move || {
            let before = match read(&file)? {
                Found::Kept(Record::Signed(before)) => before.last_ledger,
                Found::Kept(Record::Fresh) | Found::Nothing | Found::Off => mark.last_ledger,
            };
            let last_ledger = mark.last_ledger.max(before);
            write(
                &file,
                Record::Signed(Mark {
                    last_ledger,
                    ..mark
                }),
            )
        })
        .await
    }
}

/// The newest attempt in flight, and how far all of them reach.
fn mark_of(desk: &Desk) -> Option<Mark> {
    let newest = |flight: &xrpayd_core::engine::Flight| (flight.first_ledger, flight.last_ledger);
    let (hash, flight) = desk
        .flights()
        .iter()
        .max_by_key(|(_, flight)| newest(flight))?;
    let reach = desk.flights().values().map(|flight| flight.last_ledger);
    Some(Mark {
        slot: flight.slot,
        hash: *hash,
        last_ledger: reach.max()?,
    })
}

/// Disks may take their time, and the other wallets go on meanwhile.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|broken| Err(io::Error::other(broken)))
}

fn read(file: &Path) -> io::Result<Found> {
    let text = get(file)?;
    Ok(text
        .and_then(|text| parse(&text))
        .map_or(Found::Nothing, Found::Kept))
}

/// What a file says, where there is one.
fn get(file: &Path) -> io::Result<Option<String>> {
    let open = match File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    open.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Records are all of one length, so that one takes another's place in one write of one sector.
fn text_of(record: Record) -> String {
    match record {
        Record::Fresh => format!("{:<8} {:>10} {:064} {:>10}\n", "fresh", 0, 0, 0),
        Record::Signed(mark) => {
            let (kind, number) = match mark.slot {
                Slot::Sequence(number) => ("sequence", number),
                Slot::Ticket(number) => ("ticket", number),
            };
            let (hash, last) = (mark.hash, mark.last_ledger.0);
            format!("{kind:<8} {number:>10} {hash} {last:>10}\n")
        }
    }
}

fn parse(text: &str) -> Option<Record> {
    let mut words = text.strip_suffix('\n')?.split_ascii_whitespace();
    let (kind, number) = (words.next()?, words.next()?.parse().ok()?);
    let (hash, last_ledger) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let slot = match kind {
        "fresh" => return Some(Record::Fresh),
        "sequence" => Slot::Sequence(number),
        "ticket" => Slot::Ticket(number),
        _ => return None,
    };
    let is_whole = words.next().is_none();
    is_whole.then_some(Record::Signed(Mark {
        slot,
        hash,
        last_ledger: LedgerIndex(last_ledger),
    }))
}

fn write(file: &Path, record: Record) -> io::Result<()> {
    put(file, &text_of(record))
}

/// Puts a text of a file's one length in the place of the last, so that it outlives the machine's power.
fn put(file: &Path, text: &str) -> io::Result<()> {
    let is_new = !file.exists();
    let mut open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(file)?;
    open.write_all(text.as_bytes())?;
    open.sync_data()?;
    match file.parent().filter(|_| is_new) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u32) -> Record {
        Record::Signed(Mark {
            slot: Slot::Sequence(number),
            hash: TxHash([7; 32]),
            last_ledger: LedgerIndex(u32::MAX),
        })
    }

    #[tokio::test]
    async fn what_is_written_down_last_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastRun::of(Some(folder.path()), None, "hot");
        assert_eq!(kept.read().await.unwrap(), Found::Nothing);
        for record in [mark(u32::MAX), Record::Fresh, mark(1)] {
            kept.write(record).await.unwrap();
            assert_eq!(kept.read().await.unwrap(), Found::Kept(record));
        }
        let other = LastRun::of(Some(folder.path()), None, "hot2");
        assert_eq!(other.read().await.unwrap(), Found::Nothing);
    }

    #[tokio::test]
    async fn what_is_no_record_counts_as_none_and_a_folder_that_is_missing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastRun::of(Some(folder.path()), None, "hot");
        let whole = text_of(mark(5));
        for torn in ["", "\n", "fresh", &whole[..40], &format!("{whole}{whole}")] {
            std::fs::write(folder.path().join("hot.last"), torn).unwrap();
            assert_eq!(kept.read().await.unwrap(), Found::Nothing, "{torn:?}");
        }
        let nowhere = LastRun::of(Some(&folder.path().join("gone")), None, "hot");
        assert!(nowhere.write(mark(5)).await.is_err());
    }

    #[tokio::test]
    async fn without_a_folder_it_is_kept_beside_the_databases_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("xrpayd.db");
        let kept = LastRun::of(None, Some(&database), "hot");
        kept.write(mark(5)).await.unwrap();
        assert!(folder.path().join("xrpayd.db.hot.last").is_file());
        assert_eq!(kept.read().await.unwrap(), Found::Kept(mark(5)));
    }

    #[tokio::test]
    async fn a_database_in_which_a_taking_is_still_to_come_or_is_anothers_went_back() {
        let folder = tempfile::tempdir().unwrap();
        let kept = LastRun::of(Some(folder.path()), None, "hot");
        let by = |epoch: u64, holder: &str| Tenure {
            wallet: "hot".to_owned(),
            epoch,
            holder: holder.to_owned(),
        };
        let is_back = async |epoch, holder| kept.went_back(&by(epoch, holder)).await.unwrap();
        assert!(!is_back(1, "one").await, "nothing was seen yet");
        kept.held_under(&by(7, "one")).await.unwrap();
        assert!(!is_back(7, "one").await, "its engine begins anew");
        assert!(!is_back(8, "other").await);
        assert!(is_back(7, "other").await, "the epoch was given out again");
        assert!(
            is_back(8, "other").await && is_back(9, "one").await,
            "nobody has waited yet"
        );
        kept.saw(&by(10, "other")).await.unwrap();
        assert!(is_back(11, "one").await, "nor has he who only looked");
        kept.held_under(&by(7, "one")).await.unwrap();
        assert!(is_back(6, "one").await);
        kept.held_under(&by(7, "one")).await.unwrap();
        kept.saw_it_go_back().await.unwrap();
        assert!(is_back(8, "one").await, "it was seen to go back");
        kept.held_under(&by(7, "one")).await.unwrap();
        // What others took counts too, and what is older does not.
        kept.saw(&by(9, "other")).await.unwrap();
        kept.saw(&by(8, "third")).await.unwrap();
        assert!(!is_back(10, "one").await);
        assert!(is_back(9, "one").await && is_back(8, "one").await);
        // Whoever has waited goes on from where the database is.
        kept.held_under(&by(3, "one")).await.unwrap();
        assert!(!is_back(3, "one").await && !is_back(4, "other").await);
        std::fs::write(folder.path().join("hot.epoch"), "9").unwrap();
        assert!(!is_back(1, "one").await, "what is no record counts as none");
        // A file is one daemon's.
        let database = folder.path().join("xrpayd.db");
        let alone = LastRun::of(Some(folder.path()), Some(&database), "hot");
        alone.held_under(&by(7, "one")).await.unwrap();
        assert!(!alone.went_back(&by(6, "one")).await.unwrap());
    }

    #[tokio::test]
    async fn with_neither_a_folder_nor_a_file_nothing_is_kept() {
        let off = LastRun::of(None, None, "hot");
        off.write(mark(5)).await.unwrap();
        assert_eq!(off.read().await.unwrap(), Found::Off);
    }
}
