//! The names and numbers of fields, types and entries in the release that the model speaks like.
//!
//! Owns them, read once from a list. The codec's own table is of a later release and knows more; what is
//! not in this list, the model does not know.

use crate::st::FieldId;
use std::collections::HashMap;
use std::sync::LazyLock;

const LIST: &str = include_str!("../data/definitions.txt");

/// A name with its number.
pub(crate) type Named = (&'static str, i32);

/// One field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    /// The name of its type.
    pub(crate) kind: &'static str,
    /// Its number among the fields of its type.
    pub(crate) number: i32,
    /// Where it stands in the binary form; nothing for a field that is not serialized.
    pub(crate) id: Option<FieldId>,
    pub(crate) has_length: bool,
    pub(crate) is_signed: bool,
}

/// All of the list, in its order.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) types: Vec<Named>,
    pub(crate) entries: Vec<Named>,
    pub(crate) transactions: Vec<Named>,
    pub(crate) fields: Vec<Definition>,
    by_name: HashMap<&'static str, usize>,
    by_id: HashMap<FieldId, usize>,
}

impl Definitions {
    /// The field with this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(name).and_then(|&at| self.fields.get(at))
    }

    /// The field with this id.
    pub(crate) fn with_id(&self, id: FieldId) -> Option<&Definition> {
        self.by_id.get(&id).and_then(|&at| self.fields.get(at))
    }

    /// The number of a type of transactions.
    pub(crate) fn transaction(&self, name: &str) -> Option<u16> {
        let found = self.transactions.iter().find(|(known, _)| *known == name);
        found.and_then(|(_, number)| u16::try_from(*number).ok())
    }
}

/// The list.
pub(crate) static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(read);

fn read() -> Definitions {
    let mut out = Definitions::default();
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&'static str> = line.split(' ').collect();
        match words[..] {
            ["type", name, code] => out.types.push((name, number(code))),
            ["entry", name, code] => out.entries.push((name, number(code))),
            ["transaction", name, code] => out.transactions.push((name, number(code))),
            ["field", name, kind, nth, flags] => {
                let nth = number(nth);
                let id = flags.contains('S').then(|| id(&out.types, kind, nth));
                out.by_name.insert(name, out.fields.len());
                if let Some(id) = id {
                    out.by_id.insert(id, out.fields.len());
                }
                out.fields.push(Definition {
                    name,
                    kind,
                    number: nth,
                    id,
                    has_length: flags.contains('V'),
                    is_signed: flags.contains('G'),
                });
            }
            _ => unreachable!("every line of the list is one of these"),
        }
    }
    out
}

fn number(text: &str) -> i32 {
    let number = text.parse().ok();
    assert!(number.is_some(), "the list has numbers where they belong");
    number.unwrap_or_default()
}

fn id(types: &[Named], kind: &str, nth: i32) -> FieldId {
    let code = types.iter().find(|(name, _)| *name == kind);
    let code = code.and_then(|(_, code)| u8::try_from(*code).ok());
    let nth = u8::try_from(nth).ok();
    assert!(
        code.is_some() && nth.is_some(),
        "what is serialized has an id"
    );
    FieldId(code.unwrap_or_default(), nth.unwrap_or_default())
}
