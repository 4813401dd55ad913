//! How a backup lies on a disk that others may read: sealed under a key that is kept elsewhere.
//!
//! A file begins with a head: sixteen bytes that say what it is, the mark of its key, and a salt of its own.
//! The key that seals it is made of the operator's and of that salt (HKDF-SHA256). Then come pieces of
//! 64 KiB, each with its tag (ChaCha20-Poly1305); the nonce is the piece's number and whether it is the last
//! one, and the head is sealed in with every piece. So no piece can be changed, left out, moved or taken
//! from another file, and a file that is cut short does not open.
//!
//! On failure nothing that was written is to be used: what a piece held is out before the next one is read.

use crate::clock::Entropy;
use crate::sealing_key::{BadKey, SealingKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read, Write};

/// What a sealed file begins with.
const MAGIC: &[u8; 16] = b"xrpayd-backup-1\n";
/// The bytes by which a key is told from another.
const MARK_BYTES: usize = 4;
const SALT_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + MARK_BYTES + SALT_BYTES;
/// What is hashed with a key for its mark, so that the mark tells nothing else of it.
const MARK_DOMAIN: &[u8] = b"xrpayd backup sealing key mark v1";
/// What a file's own key is for.
const KEY_PURPOSE: &[u8] = b"xrpayd backup v1";
/// How much is sealed at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a backup cannot be sealed or opened. Never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be read or written.
    #[error("a file of the backup cannot be read or written: {0}")]
    File(#[from] io::Error),
    /// The text is no key.
    #[error("the key of backups {0}")]
    BadKey(#[from] BadKey),
    /// There is no key.
    #[error("the backup is sealed, and no key is given: --key, or store.backup_key")]
    NoKey,
    /// Another key sealed it.
    #[error(
        "the backup was sealed with another key: its key has the mark {needed}, and this one {given}"
    )]
    OtherKey {
        /// The mark of the key that it was sealed with.
        needed: String,
        /// The mark of the key that was given.
        given: String,
    },
    /// It is no sealed backup.
    #[error("the file does not begin as a sealed backup does")]
    NotSealed,
    /// It was changed, or cut short.
    #[error("the backup was changed or cut short since it was sealed")]
    DoesNotOpen,
    /// The cipher refused.
    #[error("the backup cannot be sealed")]
    Cipher,
}

/// What seals backups and opens them.
pub struct BackupKey {
    key: SealingKey,
    mark: [u8; MARK_BYTES],
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackupKey({})", self.mark())
    }
}

impl BackupKey {
    /// Takes the key out of its text.
    ///
    /// # Errors
    /// The text is no key.
    pub fn of_text(text: &SecretString) -> Result<Self, SealError> {
        let key = SealingKey::of_text(text)?;
        let digest = Sha256::new_with_prefix(MARK_DOMAIN)
            .chain_update(key.bytes())
            .finalize();
        let mut mark = [0_u8; MARK_BYTES];
        mark.copy_from_slice(&digest[..MARK_BYTES]);
        Ok(Self { key, mark })
    }

    /// By what it is told from other keys; it tells nothing else of it.
    #[must_use]
    pub fn mark(&self) -> String {
        hex::encode(self.mark)
    }

    /// Seals all of `from` into `to`.
    ///
    /// # Errors
    /// One of them fails; what was written is no backup then.
    pub fn seal(
        &self,
        from: &mut impl Read,
        to: &mut impl Write,
        entropy: &dyn Entropy,
    ) -> Result<(), SealError> {
        let mut head = [0_u8; HEAD_BYTES];
        let (magic, rest) = head.split_at_mut(MAGIC.len());
        let (mark, salt) = rest.split_at_mut(MARK_BYTES);
        magic.copy_from_slice(MAGIC);
        mark.copy_from_slice(&self.mark);
        entropy.fill(salt);
        let key = self.of_file(salt)?;
        to.write_all(&head)?;
        let mut pieces = Pieces::of(from, PIECE_BYTES);
        while let Some((nonce, mut piece)) = pieces.next()? {
            key.seal_in_place_append_tag(nonce, Aad::from(&head), &mut piece)
                .map_err(|_| SealError::Cipher)?;
            to.write_all(&piece)?;
        }
        Ok(())
    }

    /// Opens all of `from` into `to`.
    ///
    /// # Errors
    /// It was sealed with another key, or is not as it was sealed; what was written is nothing to use then.
    pub fn open(&self, from: &mut impl Read, to: &mut impl Write) -> Result<(), SealError> {
        let mut head = [0_u8; HEAD_BYTES];
        if fill(from, &mut head)? < HEAD_BYTES || !head.starts_with(MAGIC) {
            return Err(SealError::NotSealed);
        }
        let (mark, salt) = head[MAGIC.len()..].split_at(MARK_BYTES);
        if *mark != self.mark {
            return Err(SealError::OtherKey {
                needed: hex::encode(mark),
                given: self.mark(),
            });
        }
        let key = self.of_file(salt)?;
        let tag = CHACHA20_POLY1305.tag_len();
        let mut pieces = Pieces::of(from, PIECE_BYTES.saturating_add(tag));
        while let Some((nonce, mut piece)) = pieces.next()? {
            let plain = key
                .open_in_place(nonce, Aad::from(&head), &mut piece)
                .map_err(|_| SealError::DoesNotOpen)?;
            to.write_all(plain)?;
        }
        Ok(())
    }

    /// The key of the file with this salt.
    fn of_file(&self, salt: &[u8]) -> Result<LessSafeKey, SealError> {
        let drawn = Salt::new(HKDF_SHA256, salt).extract(self.key.bytes());
        let made = drawn.expand(&[KEY_PURPOSE], &CHACHA20_POLY1305);
        let made = made.map_err(|_| SealError::Cipher)?;
        Ok(LessSafeKey::new(UnboundKey::from(made)))
    }
}

/// A file, a piece at a time; there is at least one, and the last one is known for it.
struct Pieces<'a, R> {
    from: &'a mut R,
    size: usize,
    number: u64,
    /// What was read ahead.
    ahead: Option<Vec<u8>>,
    is_over: bool,
}

impl<'a, R: Read> Pieces<'a, R> {
    const fn of(from: &'a mut R, size: usize) -> Self {
        Self {
            from,
            size,
            number: 0,
            ahead: None,
            is_over: false,
        }
    }

    fn next(&mut self) -> Result<Option<(Nonce, Vec<u8>)>, SealError> {
        if self.is_over {
            return Ok(None);
        }
        let piece = match self.ahead.take() {
            Some(piece) => piece,
            None => self.read()?,
        };
        // A piece that is not full is the last; a full one may be, and only reading on tells.
        let ahead = if piece.len() < self.size {
            Vec::new()
        } else {
            self.read()?
        };
        self.is_over = ahead.is_empty();
        let nonce = nonce(self.number, self.is_over);
        self.number = self.number.checked_add(1).ok_or(SealError::Cipher)?;
        self.ahead = Some(ahead);
        Ok(Some((nonce, piece)))
    }

    fn read(&mut self) -> Result<Vec<u8>, SealError> {
        let mut piece = vec![0_u8; self.size];
        let length = fill(self.from, &mut piece)?;
        piece.truncate(length);
        Ok(piece)
    }
}

/// Reads until `whole` is full or nothing is left; how much that was.
fn fill(from: &mut impl Read, whole: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while let Some(rest) = whole.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => at = at.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

/// A piece's number in eight bytes, and whether it is the last.
fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut bytes = [0_u8; NONCE_LEN];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(is_last);
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;
    use secrecy::SecretString;

    fn key(byte: u8) -> BackupKey {
        BackupKey::of_text(&SecretString::from(hex::encode([byte; 32]))).unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let entropy = OsEntropy::new().unwrap();
        key(1).seal(&mut &*plain, &mut out, &entropy).unwrap();
        out
    }

    fn opened(sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut out = Vec::new();
        key(1).open(&mut &*sealed, &mut out).map(|()| out)
    }

    #[test]
    fn what_is_sealed_opens_whatever_its_length() {
        for length in [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            2 * PIECE_BYTES,
            200_000,
        ] {
            let plain: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let whole = sealed(&plain);
            assert_eq!(opened(&whole).unwrap(), plain, "{length}");
            let needle = plain.get(..32);
            assert!(!needle.is_some_and(|needle| whole.windows(32).any(|window| window == needle)));
        }
        assert_ne!(
            sealed(b"the same"),
            sealed(b"the same"),
            "each file has a salt of its own"
        );
    }

    #[test]
    fn what_was_changed_cut_short_moved_or_lengthened_does_not_open() {
        let plain = vec![7_u8; 3 * PIECE_BYTES];
        let whole = sealed(&plain);
        let piece = PIECE_BYTES + 16;
        for place in [
            0,
            MAGIC.len() + MARK_BYTES,
            HEAD_BYTES,
            HEAD_BYTES + piece,
            whole.len() - 1,
        ] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(opened(&changed).is_err(), "a change at {place}");
        }
        for cut in [
            0,
            HEAD_BYTES - 1,
            HEAD_BYTES,
            HEAD_BYTES + piece,
            HEAD_BYTES + 2 * piece,
            whole.len() - 1,
        ] {
            assert!(opened(&whole[..cut]).is_err(), "cut at {cut}");
        }
        let mut swapped = whole.clone();
        let (one, two) = swapped[HEAD_BYTES..].split_at_mut(piece);
        one.swap_with_slice(&mut two[..piece]);
        assert!(opened(&swapped).is_err());
        let mut longer = whole;
        longer.push(0);
        assert!(opened(&longer).is_err());
    }

    #[test]
    fn another_key_is_told_by_its_mark() {
        let whole = sealed(b"books");
        let refused = key(2).open(&mut &*whole, &mut Vec::new());
        let Err(SealError::OtherKey { needed, given }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((needed, given), (key(1).mark(), key(2).mark()));
        assert!(matches!(
            key(1).open(&mut &b"SQLite format 3\0"[..], &mut Vec::new()),
            Err(SealError::NotSealed)
        ));
    }
}
