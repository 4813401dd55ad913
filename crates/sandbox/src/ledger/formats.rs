//! Which fields a transaction of each type has and must have.
//!
//! Owns the formats, read once from a list. A transaction that breaks its format is none, and never
//! reaches the rules.

use super::definitions::DEFINITIONS;
use super::tx::BadBlob;
use crate::st::{FieldId, Fields, Malformed};
use std::collections::HashMap;
use std::sync::LazyLock;

const LIST: &str = include_str!("../data/formats.txt");

/// One field of a format.
#[derive(Debug, Clone, Copy)]
struct Part {
    id: FieldId,
    name: &'static str,
    is_required: bool,
}

/// The fields of each type: its own, then those of every type, which is the order of rippled's checks.
static FORMATS: LazyLock<HashMap<u16, Vec<Part>>> = LazyLock::new(read);

fn read() -> HashMap<u16, Vec<Part>> {
    let mut lines = LIST.lines().filter(|line| !line.starts_with('#'));
    let any = lines.next().unwrap_or_default();
    let any = parts(any);
    let formats = lines.filter_map(|line| {
        let name = line.split(' ').next()?;
        let number = DEFINITIONS.transaction(name);
        assert!(number.is_some(), "every format is a transaction's");
        let mut format = parts(line);
        format.extend_from_slice(&any);
        Some((number?, format))
    });
    formats.collect()
}

fn parts(line: &'static str) -> Vec<Part> {
    let fields = line.split(' ').skip(1);
    let parts = fields.filter_map(|word| {
        let name = word.trim_end_matches('!');
        let id = DEFINITIONS.named(name).and_then(|field| field.id);
        assert!(id.is_some(), "every field of a format is defined");
        Some(Part {
            id: id?,
            name,
            is_required: name != word,
        })
    });
    parts.collect()
}

/// Whether the fields of a transaction are those of its type.
///
/// # Errors
/// In rippled's words.
pub(crate) fn check(kind: Option<u16>, blob: &[u8]) -> Result<(), BadBlob> {
    let mut have: Vec<FieldId> = Vec::with_capacity(16);
    for field in Fields::of(blob) {
        let id = field?.id;
        if DEFINITIONS.with_id(id).is_none() {
            return Err(Malformed::Unknown.into());
        }
        have.push(id);
    }
    let kind = kind.ok_or(BadBlob::NoType)?;
    let format = FORMATS.get(&kind).ok_or(BadBlob::Type(kind))?;
    let lacks = |part: &&Part| part.is_required && !have.contains(&part.id);
    if let Some(part) = format.iter().find(lacks) {
        return Err(BadBlob::Missing(part.name));
    }
    let misplaced = |id: &&FieldId| !format.iter().any(|part| part.id == **id);
    match have.iter().find(misplaced) {
        None => Ok(()),
        Some(&id) => {
            let name = DEFINITIONS.with_id(id).map_or("", |field| field.name);
            Err(BadBlob::Disallowed(name))
        }
    }
}
