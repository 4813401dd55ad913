//! The public form of an entry: the API and the command show the same.

use super::{Actor, AuditEntry};
use crate::rfc3339::Rfc3339;
use serde::Serialize;
use serde_json::Value as Json;

/// An entry of the audit log, as it is shown.
#[derive(Debug, Clone, Serialize)]
pub struct AuditForm {
    object: &'static str,
    sequence: i64,
    at: Rfc3339,
    actor: ActorForm,
    action: String,
    subject: String,
    data: Json,
    prev_hash: String,
    hash: String,
}

/// Who changed something, as it is shown.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActorForm {
    /// A client's key, by the API.
    Key {
        /// The public part of the key.
        id: String,
        /// The client that it speaks for.
        client: String,
    },
    /// An operator on the machine, by a command.
    Cli {
        /// The user that ran it.
        uid: u32,
    },
    /// The daemon, by itself.
    Daemon,
}

impl AuditEntry {
    /// The public form.
    #[must_use]
    pub fn form(self) -> AuditForm {
        AuditForm {
            object: "audit_entry",
            sequence: self.sequence,
            at: Rfc3339(self.at),
            actor: match self.actor {
                Actor::Key { id, client } => ActorForm::Key { id, client },
                Actor::Cli { uid } => ActorForm::Cli { uid },
                Actor::Daemon => ActorForm::Daemon,
            },
            action: self.action,
            subject: self.subject,
            data: self.data,
            prev_hash: hex::encode(self.prev_hash),
            hash: hex::encode(self.hash),
        }
    }
}
