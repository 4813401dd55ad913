//! The append-only file that lets the ledger survive a restart and a SIGKILL.
//!
//! Owns the open file. A record is written whole before anyone is told of its ledger; a torn record at
//! the end of the file was therefore never seen by a client and is cut off. Damage before the end is
//! another matter: the file is refused and stays as it is. The file is reached through the page cache: it
//! survives the death of the process, not of the machine. It is locked while it is open, since what two
//! networks append to one file would not read back.
//!
//! Records: the beginning (network id), a state (every entry), a ledger with its changes, and, after
//! compaction, ledgers as history only.

use super::chain::{Applied, Chain, Header, Ledger};
use super::codes::Ter;
use super::entry::{Entry, Key};
use super::state::Overlay;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xrpayd_codec::sha512_half;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::TxHash;

const MAGIC: &[u8; 16] = b"xrpayd-ledger 2\n";
const BEGINNING: u8 = 1;
const STATE: u8 = 2;
const LEDGER: u8 = 3;
const HISTORY: u8 = 4;
/// A record never is larger than this; a larger length is damage.
const RECORD_LEN_MAX: usize = 1 << 31;

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The file says something that it cannot say.
    #[error("{0}")]
    Bad(&'static str),
}

/// The open log.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// The length of what is whole. A record that could not be written whole is cut off again, since
    /// nothing after it would ever be read back.
    len: u64,
    /// A torn record could not be cut off: nothing more may be written.
    broken: bool,
}

/// What a log held.
pub(crate) struct Loaded {
    pub(crate) log: Log,
    pub(crate) chain: Chain,
}

impl Log {
    const fn whole(file: File, len: u64) -> Self {
        Self {
            file,
            len,
            broken: false,
        }
    }

    /// Opens or makes the log at `path`, and reads the chain in it; the chain is empty in a new log.
    pub(crate) fn open(
        path: &Path,
        network_id: u32,
        retain: Option<u32>,
    ) -> Result<Loaded, LogError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        lock(&file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut chain = Chain::empty(retain);
        if bytes.is_empty() {
            let beginning = framed_beginning(network_id);
            file.write_all(&beginning)?;
            let len = length(beginning.len());
            return Ok(Loaded {
                log: Self::whole(file, len),
                chain,
            });
        }
        let kept = replay(&bytes, network_id, &mut chain)?;
        file.set_len(length(kept))?;
        let log = if retain.is_some() && !chain.is_empty() {
            compact(path, network_id, &chain)?
        } else {
            Self::whole(file, length(kept))
        };
        Ok(Loaded { log, chain })
    }

    /// Writes the state that a chain begins with.
    pub(crate) fn append_state(&mut self, chain: &Chain) -> Result<(), LogError> {
        self.append(&state_record(chain))
    }

    /// Writes a ledger and its changes. Nobody may hear of the ledger before this returns.
    pub(crate) fn append_ledger(
        &mut self,
        ledger: &Ledger,
        overlay: &Overlay,
    ) -> Result<(), LogError> {
        self.append(&ledger_record(LEDGER, ledger, Some(overlay)))
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), LogError> {
        if self.broken {
            return Err(LogError::Bad("an earlier record is torn"));
        }
        let record = framed(payload);
        let written = self.file.write_all(&record);
        if written.is_err() {
            self.broken = self.file.set_len(self.len).is_err();
        } else {
            self.len += length(record.len());
        }
        Ok(written?)
    }
}

/// Keeps every other network away from the file, until it is closed.
fn lock(file: &File) -> Result<(), LogError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => LogError::Bad("another network is using it"),
        TryLockError::Error(error) => LogError::Io(error),
    })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn framed_beginning(network_id: u32) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut payload = vec![BEGINNING];
    payload.extend(network_id.to_be_bytes());
    out.extend(framed(&payload));
    out
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 8);
    out.extend(
        u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    out.extend(&sha512_half(&[payload])[..4]);
    out.extend_from_slice(payload);
    out
}

/// Rewrites the log so that it holds the retained history and the newest state, and nothing else.
fn compact(path: &Path, network_id: u32, chain: &Chain) -> Result<Log, LogError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let mut file = File::create(&fresh)?;
    lock(&file)?;
    file.write_all(&framed_beginning(network_id))?;
    let tip = chain.tip().header.index;
    for ledger in chain.ledgers().filter(|ledger| ledger.header.index < tip) {
        file.write_all(&framed(&ledger_record(HISTORY, ledger, None)))?;
    }
    file.write_all(&framed(&state_record(chain)))?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    // The same open file goes on to be the log, so that its lock is never let go.
    let len = file.metadata()?.len();
    Ok(Log::whole(file, len))
}

fn state_record(chain: &Chain) -> Vec<u8> {
    let mut out = Out(vec![STATE]);
    out.ledger(chain.tip());
    let entries: Vec<(&Key, &Entry)> = chain.state.iter().collect();
    out.u32(entries.len());
    for (key, entry) in entries {
        out.change(key, Some(entry));
    }
    out.0
}

fn ledger_record(kind: u8, ledger: &Ledger, overlay: Option<&Overlay>) -> Vec<u8> {
    let mut out = Out(vec![kind]);
    out.ledger(ledger);
    if let Some(overlay) = overlay {
        out.u32(overlay.changed.len());
        for (key, entry) in &overlay.changed {
            out.change(key, entry.as_ref());
        }
    }
    out.0
}

/// Reads every whole record; returns the length of what was whole.
fn replay(bytes: &[u8], network_id: u32, chain: &mut Chain) -> Result<usize, LogError> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(LogError::Bad("it is not a ledger of this program"));
    }
    let mut at = MAGIC.len();
    let mut begun = false;
    while let Some(payload) = whole_record(&bytes[at..])? {
        let mut input = In(payload);
        let kind = input.u8().ok_or(LogError::Bad("an empty record"))?;
        if kind == BEGINNING {
            if input.u32() != Some(network_id) {
                return Err(LogError::Bad("it belongs to a network with another id"));
            }
            begun = true;
        } else {
            apply_record(kind, &mut input, chain).ok_or(LogError::Bad("a record does not read"))?;
        }
        at += 8 + payload.len();
    }
    if begun {
        Ok(at)
    } else {
        Err(LogError::Bad("its beginning is damaged"))
    }
}

/// The first record, unless it is torn: all that follows the last whole record is the beginning of one
/// that was being written. A record that is not what was written, and has others after it, is damage.
fn whole_record(bytes: &[u8]) -> Result<Option<&[u8]>, LogError> {
    let Some((frame, rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let [a, b, c, d, checksum @ ..] = *frame;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d]))
        .ok()
        .filter(|&length| length <= RECORD_LEN_MAX)
        .ok_or(LogError::Bad("a record is too long to be one"))?;
    let Some(payload) = rest.get(..length) else {
        return Ok(None);
    };
    if sha512_half(&[payload])[..4] == checksum {
        Ok(Some(payload))
    } else if rest.len() == length {
        Ok(None)
    } else {
        Err(LogError::Bad("a record before its end is damaged"))
    }
}

fn apply_record(kind: u8, input: &mut In<'_>, chain: &mut Chain) -> Option<()> {
    let ledger = Arc::new(input.ledger()?);
    match kind {
        HISTORY => chain.push(ledger),
        STATE => {
            for (key, entry) in input.changes()? {
                chain.state.put(key, entry);
            }
            chain.push(ledger);
        }
        LEDGER => {
            let mut overlay = Overlay::default();
            for (key, entry) in input.changes()? {
                overlay.put(key, entry);
            }
            let index = ledger.header.index;
            chain.commit(ledger, overlay, index);
        }
        _ => return None,
    }
    Some(())
}

struct Out(Vec<u8>);

impl Out {
    fn u32(&mut self, value: usize) {
        self.0
            .extend(u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn ledger(&mut self, ledger: &Ledger) {
        let header = &ledger.header;
        self.0.extend(header.index.to_be_bytes());
        self.0.extend(header.hash);
        self.0.extend(header.parent_hash);
        self.0.extend(header.transaction_hash);
        self.0.extend(header.account_hash);
        self.0.extend(header.total_drops.to_be_bytes());
        self.0.extend(header.parent_close_time.to_be_bytes());
        self.0.extend(header.close_time.to_be_bytes());
        self.u32(ledger.txs.len());
        for tx in &ledger.txs {
            self.0.extend(tx.hash.0);
            self.0.extend(tx.result.number().to_be_bytes());
            self.0.extend(tx.fee.to_be_bytes());
            self.bytes(&tx.blob);
            self.bytes(&tx.meta);
            self.u32(tx.accounts.len());
            for account in &tx.accounts {
                self.0.extend(account.0);
            }
        }
    }

    fn change(&mut self, key: &Key, entry: Option<&Entry>) {
        key.put_log(&mut self.0);
        self.bytes(&entry.map(Entry::to_log).unwrap_or_default());
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    fn ledger(&mut self) -> Option<Ledger> {
        let header = Header {
            index: self.u32()?,
            hash: self.array()?,
            parent_hash: self.array()?,
            transaction_hash: self.array()?,
            account_hash: self.array()?,
            total_drops: self.u64()?,
            parent_close_time: self.u32()?,
            close_time: self.u32()?,
            close_flags: 0,
        };
        let count = self.u32()?;
        let txs = (0..count)
            .map(|_| self.applied())
            .collect::<Option<Vec<_>>>()?;
        Some(Ledger {
            header,
            txs,
            median_level: 0,
        })
    }

    fn applied(&mut self) -> Option<Applied> {
        let hash = TxHash(self.array()?);
        let result = Ter::from_number(self.array().map(i16::from_be_bytes)?)?;
        let fee = self.u64()?;
        let blob = self.bytes()?.into();
        let meta = self.bytes()?.into();
        let count = self.u32()?;
        let accounts = (0..count)
            .map(|_| self.array().map(AccountId))
            .collect::<Option<Vec<_>>>()?
            .into_boxed_slice();
        Some(Applied {
            hash,
            blob,
            meta,
            accounts,
            result,
            fee,
        })
    }

    fn changes(&mut self) -> Option<Vec<(Key, Option<Entry>)>> {
        let count = self.u32()?;
        (0..count).map(|_| self.change()).collect()
    }

    fn change(&mut self) -> Option<(Key, Option<Entry>)> {
        let key = Key::take_log(&mut self.0)?;
        match self.bytes()? {
            [] => Some((key, None)),
            bytes => Some((key, Some(Entry::from_log(&key, bytes)?))),
        }
    }
}
