//! A cursor over bytes that cannot run past their end.

use crate::error::{CodecError, Problem};

/// Reads forward; every failure carries the place where it happened.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(crate) fn fail(&self, problem: impl Into<Problem>) -> CodecError {
        CodecError::Bytes {
            at: self.at,
            problem: problem.into(),
        }
    }

    /// The next byte, without moving past it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.fail(Problem::Truncated))?;
        self.at += len;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a length and then so many bytes.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], CodecError> {
        let first = usize::from(self.byte()?);
        let len = match first {
            0..=192 => first,
            193..=240 => 193 + ((first - 193) << 8) + usize::from(self.byte()?),
            241..=254 => {
                let [high, low] = self.array()?;
                12_481 + ((first - 241) << 16) + (usize::from(high) << 8) + usize::from(low)
            }
            _ => return Err(self.fail(Problem::NotCanonical)),
        };
        self.take(len)
    }
}

/// The longest value that a length can announce.
const PREFIXED_LEN_MAX: usize = 918_744;

/// Writes the length of `value` and then `value`.
pub(crate) fn put_prefixed(value: &[u8], out: &mut Vec<u8>) -> Result<(), Problem> {
    let byte = |n: usize| u8::try_from(n & 0xFF).map_err(|_| Problem::TooLong);
    match value.len() {
        len @ 0..=192 => out.push(byte(len)?),
        len @ 193..=12_480 => {
            let rest = len - 193;
            out.extend([byte(193 + (rest >> 8))?, byte(rest)?]);
        }
        len @ 12_481..=PREFIXED_LEN_MAX => {
            let rest = len - 12_481;
            out.extend([byte(241 + (rest >> 16))?, byte(rest >> 8)?, byte(rest)?]);
        }
        _ => return Err(Problem::TooLong),
    }
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_reads_back_as_it_was_written() {
        for len in [0, 1, 192, 193, 194, 12_480, 12_481, 12_482, 918_744] {
            let value = vec![7; len];
            let mut out = Vec::new();
            put_prefixed(&value, &mut out).unwrap();
            let mut reader = Reader::new(&out);
            assert_eq!(reader.prefixed().unwrap().len(), len);
            assert!(reader.is_done());
        }
        let too_long = vec![0; 918_745];
        assert_eq!(
            put_prefixed(&too_long, &mut Vec::new()),
            Err(Problem::TooLong)
        );
        assert!(Reader::new(&[255, 0, 0]).prefixed().is_err());
    }
}
