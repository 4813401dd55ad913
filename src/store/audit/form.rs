//! The public form of an entry: the API and the command show the same.

use super::{Actor, AuditEntry};
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

/// An entry of the audit log, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditForm {
    #[schema(value_type = scalar::KindAuditEntry)]
    object: &'static str,
    /// Its place in the log, from 1.
    sequence: i64,
    at: Rfc3339,
    actor: ActorForm,
    /// What was done.
    action: String,
    /// What it was done to.
    subject: String,
    /// Before, after, and what was said.
    #[schema(value_type = scalar::AnyObject)]
    data: Json,
    /// The hash of the entry before it.
    prev_hash: String,
    /// The hash over all of it.
    hash: String,
}

/// Who changed something, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = Actor)]
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
                Actor::Cli { uid, .. } => ActorForm::Cli { uid },
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
