//! The ledger's fields: their names, numbers and types, and how a field announces itself in bytes.

use crate::table;

/// The types of values that are serialised. The numbers are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    UInt16 = 1,
    UInt32 = 2,
    UInt64 = 3,
    Hash128 = 4,
    Hash256 = 5,
    Amount = 6,
    Blob = 7,
    AccountId = 8,
    Number = 9,
    Int32 = 10,
    STObject = 14,
    STArray = 15,
    UInt8 = 16,
    Hash160 = 17,
    PathSet = 18,
    Vector256 = 19,
    Hash192 = 21,
    Issue = 24,
    XChainBridge = 25,
    Currency = 26,
}

/// One field of the ledger's protocol.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nth: u8,
    /// Whether signatures cover the field.
    pub(crate) signed: bool,
}

pub(crate) const fn field(name: &'static str, kind: Kind, nth: u8, signed: bool) -> Field {
    Field {
        name,
        kind,
        nth,
        signed,
    }
}

/// Ends an object.
pub(crate) const OBJECT_END: u8 = 0xE1;
/// Ends an array.
pub(crate) const ARRAY_END: u8 = 0xF1;

impl Field {
    /// The canonical position: by type, then by number.
    pub(crate) const fn id(&self) -> (u8, u8) {
        (self.kind as u8, self.nth)
    }

    /// Writes the one to three bytes that announce the field.
    pub(crate) fn announce(&self, out: &mut Vec<u8>) {
        let (kind, nth) = self.id();
        match (kind < 16, nth < 16) {
            (true, true) => out.push(kind << 4 | nth),
            (true, false) => out.extend([kind << 4, nth]),
            (false, true) => out.extend([nth, kind]),
            (false, false) => out.extend([0, kind, nth]),
        }
    }

    /// The field of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        let at = table::FIELDS.binary_search_by(|f| f.name.cmp(name)).ok()?;
        table::FIELDS.get(at)
    }

    /// The field with that type and number.
    pub(crate) fn with_id(id: (u8, u8)) -> Option<&'static Self> {
        let field = |&at: &u16| table::FIELDS.get(usize::from(at));
        let at = table::BY_ID
            .binary_search_by(|at| field(at).map(Self::id).cmp(&Some(id)))
            .ok()?;
        table::BY_ID.get(at).and_then(field)
    }
}

/// The code a name stands for in one of the table's lists.
pub(crate) fn code_of(list: &[(&str, u16)], name: &str) -> Option<u16> {
    let at = list.binary_search_by(|(n, _)| (*n).cmp(name)).ok()?;
    list.get(at).map(|(_, code)| *code)
}

/// The name a code stands for in one of the table's lists.
pub(crate) fn name_of(list: &[(&'static str, u16)], code: u16) -> Option<&'static str> {
    list.iter().find(|(_, c)| *c == code).map(|(name, _)| *name)
}

/// Whether the ledger prints this 64-bit field in decimal; it prints all others in hex.
pub(crate) fn is_decimal(field: &Field) -> bool {
    matches!(
        field.name,
        "MaximumAmount"
            | "OutstandingAmount"
            | "MPTAmount"
            | "LockedAmount"
            | "ConfidentialOutstandingAmount"
    )
}

/// The permissions finer than a transaction type that an account can delegate.
const GRANULAR_PERMISSIONS: [(&str, u32); 12] = [
    ("TrustlineAuthorize", 65537),
    ("TrustlineFreeze", 65538),
    ("TrustlineUnfreeze", 65539),
    ("AccountDomainSet", 65540),
    ("AccountEmailHashSet", 65541),
    ("AccountMessageKeySet", 65542),
    ("AccountTransferRateSet", 65543),
    ("AccountTickSizeSet", 65544),
    ("PaymentMint", 65545),
    ("PaymentBurn", 65546),
    ("MPTokenIssuanceLock", 65547),
    ("MPTokenIssuanceUnlock", 65548),
];

/// A delegated permission's number: a granular one's own, or a transaction type's code plus one.
pub(crate) fn permission_code(name: &str) -> Option<u32> {
    GRANULAR_PERMISSIONS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, code)| *code)
        .or_else(|| code_of(table::TRANSACTION_TYPES, name).map(|code| u32::from(code) + 1))
}

/// The name the ledger prints for a delegated permission, if it has one.
pub(crate) fn permission_name(code: u32) -> Option<&'static str> {
    GRANULAR_PERMISSIONS
        .iter()
        .find(|(_, c)| *c == code)
        .map(|(name, _)| *name)
        .or_else(|| {
            let kind = u16::try_from(code.checked_sub(1)?).ok()?;
            name_of(table::TRANSACTION_TYPES, kind)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_by_its_number() {
        assert_eq!(table::BY_ID.len(), table::FIELDS.len());
        for field in table::FIELDS {
            assert_eq!(Field::named(field.name).map(Field::id), Some(field.id()));
            assert_eq!(Field::with_id(field.id()).map(|f| f.name), Some(field.name));
        }
        assert!(Field::named("Destinaton").is_none());
        assert!(Field::with_id((8, 200)).is_none());
    }

    #[test]
    fn permissions_read_and_print_alike() {
        for code in [1, 21, 65537, 65548] {
            let name = permission_name(code).unwrap();
            assert_eq!(permission_code(name), Some(code));
        }
        assert_eq!(permission_name(0), None);
    }
}
