//! The ledger's binary format, as far as the model writes and walks it itself: field headers, fixed
//! types, length prefixes, and a walk over the top level of an object.
//!
//! Transactions are turned into JSON by the codec crate; this module is for what the codec has no
//! reason to know (state entries, metadata) and for reading a transaction's fields without JSON.

/// A field's type code and field code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FieldId(pub(crate) u8, pub(crate) u8);

/// Type codes that the model handles by name.
pub(crate) mod kind {
    pub(crate) const U16: u8 = 1;
    pub(crate) const U32: u8 = 2;
    pub(crate) const U64: u8 = 3;
    pub(crate) const H128: u8 = 4;
    pub(crate) const H256: u8 = 5;
    pub(crate) const AMOUNT: u8 = 6;
    pub(crate) const BLOB: u8 = 7;
    pub(crate) const ACCOUNT: u8 = 8;
    pub(crate) const OBJECT: u8 = 14;
    pub(crate) const ARRAY: u8 = 15;
    pub(crate) const U8: u8 = 16;
    pub(crate) const H160: u8 = 17;
    pub(crate) const HASHES: u8 = 19;
    pub(crate) const H192: u8 = 21;
}

/// The end of an object and of an array.
pub(crate) const OBJECT_END: u8 = 0xE1;
pub(crate) const ARRAY_END: u8 = 0xF1;

/// Appends a field's header.
pub(crate) fn put_header(out: &mut Vec<u8>, FieldId(kind, code): FieldId) {
    match (kind < 16, code < 16) {
        (true, true) => out.push(kind << 4 | code),
        (false, true) => out.extend([code, kind]),
        (true, false) => out.extend([kind << 4, code]),
        (false, false) => out.extend([0, kind, code]),
    }
}

/// The length of a field's header.
pub(crate) const fn header_len(FieldId(kind, code): FieldId) -> usize {
    1 + (kind >= 16) as usize + (code >= 16) as usize
}

/// Appends a length prefix.
pub(crate) fn put_length(out: &mut Vec<u8>, length: usize) {
    let byte = |n: usize| u8::try_from(n & 0xFF).unwrap_or_default();
    if length <= 192 {
        out.push(byte(length));
    } else if length <= 12_480 {
        let rest = length - 193;
        out.extend([byte(193 + (rest >> 8)), byte(rest)]);
    } else {
        let rest = length - 12_481;
        out.extend([byte(241 + (rest >> 16)), byte(rest >> 8), byte(rest)]);
    }
}

/// The bytes are not a well-formed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The bytes end inside a field.
    #[error("invalid SerialIter getRaw")]
    Truncated,
    /// A type or a header that does not exist.
    #[error("Unknown field")]
    Unknown,
}

/// One field of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// Which field.
    pub(crate) id: FieldId,
    /// Where its header starts in the walked bytes.
    pub(crate) start: usize,
    /// Where the next field starts.
    pub(crate) end: usize,
    /// The payload: without a length prefix, without an end marker.
    pub(crate) value: &'a [u8],
}

impl Field<'_> {
    /// The payload as an unsigned number of up to eight bytes.
    pub(crate) fn number(&self) -> u64 {
        self.value
            .iter()
            .fold(0, |n, &byte| n << 8 | u64::from(byte))
    }

    /// The payload as a number of 32 bits.
    pub(crate) fn u32(&self) -> u32 {
        u32::try_from(self.number() & u64::from(u32::MAX)).unwrap_or_default()
    }

    /// The payload as `N` bytes, if it has that length.
    pub(crate) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.value.try_into().ok()
    }
}

/// Walks the fields of one object, without descending.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// A walk over `bytes`.
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed::Truncated)?;
        let slice = self.bytes.get(self.at..end).ok_or(Malformed::Truncated)?;
        self.at = end;
        Ok(slice)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1).map(|slice| slice[0])
    }

    fn header(&mut self) -> Result<FieldId, Malformed> {
        let first = self.byte()?;
        let (mut kind, mut code) = (first >> 4, first & 15);
        if kind == 0 {
            kind = self.byte()?;
            if kind < 16 {
                return Err(Malformed::Unknown);
            }
        }
        if code == 0 {
            code = self.byte()?;
            if code < 16 {
                return Err(Malformed::Unknown);
            }
        }
        Ok(FieldId(kind, code))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let first = usize::from(self.byte()?);
        Ok(match first {
            0..=192 => first,
            193..=240 => 193 + ((first - 193) << 8) + usize::from(self.byte()?),
            241..=254 => {
                let (second, third) = (usize::from(self.byte()?), usize::from(self.byte()?));
                12_481 + ((first - 241) << 16) + (second << 8) + third
            }
            _ => return Err(Malformed::Unknown),
        })
    }

    /// Skips an object or array, and returns what stands before its end marker.
    fn nested(&mut self, end_marker: FieldId, depth: u8) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        if depth > 10 {
            return Err(Malformed::Unknown);
        }
        loop {
            let before = self.at;
            let id = self.header()?;
            if id == end_marker {
                return Ok(&self.bytes[start..before]);
            }
            self.payload(id, depth + 1)?;
        }
    }

    fn path_set(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        loop {
            let step = self.byte()?;
            match step {
                0x00 => return Ok(&self.bytes[start..self.at]),
                0xFF => {}
                _ => {
                    let parts = [0x01, 0x10, 0x20].iter().filter(|&&bit| step & bit != 0);
                    self.take(20 * parts.count())?;
                }
            }
        }
    }

    fn payload(&mut self, id: FieldId, depth: u8) -> Result<&'a [u8], Malformed> {
        let fixed = match id.0 {
            kind::U16 => 2,
            kind::U32 => 4,
            kind::U64 => 8,
            kind::H128 => 16,
            kind::H256 => 32,
            kind::U8 => 1,
            17 => 20,
            20 => 12,
            21 => 24,
            22 => 48,
            23 => 64,
            kind::AMOUNT => match self.bytes.get(self.at) {
                Some(first) if first & 0x80 != 0 => 48,
                Some(first) if first & 0x20 != 0 => 33,
                Some(_) => 8,
                None => return Err(Malformed::Truncated),
            },
            kind::BLOB | kind::ACCOUNT | 19 => self.length()?,
            kind::OBJECT => return self.nested(FieldId(kind::OBJECT, 1), depth),
            kind::ARRAY => return self.nested(FieldId(kind::ARRAY, 1), depth),
            18 => return self.path_set(),
            24 => {
                let is_xrp = self
                    .bytes
                    .get(self.at..self.at + 20)
                    .is_some_and(|currency| currency.iter().all(|&byte| byte == 0));
                if is_xrp { 20 } else { 40 }
            }
            26 => 20,
            _ => return Err(Malformed::Unknown),
        };
        self.take(fixed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let field = self.header().and_then(|id| {
            let value = self.payload(id, 0)?;
            Ok(Field {
                id,
                start,
                end: self.at,
                value,
            })
        });
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}
