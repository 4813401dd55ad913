//! What chains the entries of the audit log: pure, and the same for ever, because old entries are held
//! against it.
//!
//! The hash of an entry is the SHA-256 over the domain, the hash of the entry before it, and its fields
//! in the order of [`Content`]. Each field is preceded by its length in eight bytes, the most significant
//! first; a number is a field of eight bytes of that order; a text that may be missing is preceded by a
//! byte that says whether it is there. So no two contents share their bytes.

use super::{Actor, Audited};
use crate::store::error::StoreError;
use sha2::{Digest as _, Sha256};

/// Keeps these hashes apart from those of anything else, and names the way they are made.
pub(super) const DOMAIN: &str = "xrpayd.audit.v1";

/// The name in an entry's data of what an operator called himself.
pub(super) const SAID_BY: &str = "said_by";

/// What the first entry names as the hash of the one before it: the SHA-256 of the domain.
pub(super) const FIRST_PREV_HASH: [u8; 32] = [
    0xa0, 0x31, 0x83, 0x9d, 0x92, 0xba, 0xf8, 0x9b, 0xca, 0x9b, 0x3d, 0xef, 0xf4, 0xbd, 0x96, 0x37,
    0x24, 0x1b, 0xf9, 0x8d, 0xc5, 0x19, 0x18, 0x34, 0xb1, 0xe7, 0xa8, 0xb2, 0xdd, 0x8f, 0x3f, 0x25,
];

/// What an entry says, as it is written and hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) actor: String,
    pub(super) actor_id: Option<String>,
    pub(super) actor_client: Option<String>,
    pub(super) action: String,
    pub(super) object: String,
    pub(super) data: String,
}

impl Content {
    /// An entry as the next of the log.
    pub(super) fn of(sequence: i64, entry: Audited) -> Self {
        let mut data = entry.data;
        // Beside what was done, because a release that does not know of it has to read the log too.
        if let (
            Actor::Cli {
                said: Some(name), ..
            },
            Some(told),
        ) = (&entry.actor, data.as_object_mut())
        {
            told.insert(SAID_BY.to_owned(), name.as_str().into());
        }
        let (actor, actor_id, actor_client) = match entry.actor {
            Actor::Key { id, client } => ("key", Some(id), Some(client)),
            Actor::Cli { uid, .. } => ("cli", Some(uid.to_string()), None),
            Actor::Daemon => ("daemon", None, None),
        };
        Self {
            sequence,
            at: entry.at.0,
            actor: actor.to_owned(),
            actor_id,
            actor_client,
            action: entry.action.to_owned(),
            object: entry.object,
            data: data.to_string(),
        }
    }

    /// Refuses what PostgreSQL cannot hold, so that both stores hold the same.
    pub(super) fn refuse_nul(&self) -> Result<(), StoreError> {
        let texts = [
            ("the actor of an audit entry", self.actor_id.as_deref()),
            ("the client of an audit entry", self.actor_client.as_deref()),
            ("the object of an audit entry", Some(self.object.as_str())),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.contains('\0')) {
                return Err(StoreError::NulInText { field });
            }
        }
        Ok(())
    }
}

/// The hash of an entry that follows the one with `prev_hash`.
pub(super) fn hash(prev_hash: &[u8; 32], content: &Content) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut field = |bytes: &[u8]| {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        hasher.update(length.to_be_bytes());
        hasher.update(bytes);
    };
    let may_be = |text: Option<&str>, field: &mut dyn FnMut(&[u8])| match text {
        Some(text) => {
            field(&[1]);
            field(text.as_bytes());
        }
        None => field(&[0]),
    };
    field(DOMAIN.as_bytes());
    field(prev_hash);
    field(&content.sequence.to_be_bytes());
    field(&content.at.to_be_bytes());
    field(content.actor.as_bytes());
    may_be(content.actor_id.as_deref(), &mut field);
    may_be(content.actor_client.as_deref(), &mut field);
    field(content.action.as_bytes());
    field(content.object.as_bytes());
    field(content.data.as_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            sequence: 7,
            at: 1_800_000_000_000,
            actor: "key".to_owned(),
            actor_id: Some("ab".to_owned()),
            actor_client: Some("shop".to_owned()),
            action: "key.created".to_owned(),
            object: "cd".to_owned(),
            data: r#"{"scopes":["admin"]}"#.to_owned(),
        }
    }

    #[test]
    fn the_first_entry_follows_the_hash_of_the_domain() {
        let of_domain: [u8; 32] = Sha256::digest(DOMAIN).into();
        assert_eq!(FIRST_PREV_HASH, of_domain);
    }

    #[test]
    fn the_hash_of_an_entry_is_the_same_for_ever() {
        assert_eq!(
            hex::encode(hash(&FIRST_PREV_HASH, &content())),
            "56517ceb6194c64392727c7dcdf18e1595b3f5a9a546d75ebf91982e746633e7"
        );
    }

    #[test]
    fn every_field_and_the_hash_before_it_are_in_the_hash() {
        let whole = hash(&FIRST_PREV_HASH, &content());
        assert_ne!(whole, hash(&[0; 32], &content()));
        type Change = fn(&mut Content);
        let changes: [Change; 12] = [
            |content| content.sequence = 8,
            |content| content.at += 1,
            |content| content.actor = "cli".to_owned(),
            |content| content.actor_id = None,
            |content| content.actor_id = Some(String::new()),
            |content| content.actor_client = None,
            |content| content.actor_client = Some("sho".to_owned()),
            |content| content.action.push('x'),
            |content| content.object.clear(),
            |content| content.data.push(' '),
            // What moves from one field into its neighbour.
            |content| {
                content.action = "key.create".to_owned();
                content.object = "dcd".to_owned();
            },
            |content| {
                content.actor_id = Some("abshop".to_owned());
                content.actor_client = Some(String::new());
            },
        ];
        let mut seen = vec![whole];
        for change in changes {
            let mut changed = content();
            change(&mut changed);
            let changed = hash(&FIRST_PREV_HASH, &changed);
            assert!(!seen.contains(&changed));
            seen.push(changed);
        }
    }
}
