//! The document that `GET /health` answers with.

use super::Status;
use crate::rfc3339::Rfc3339;
use crate::shape::scalar;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use xrpayd_core::ids::LedgerIndex;

/// The document of `GET /health`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct Document {
    /// The worst of the checks.
    pub status: Status,
    /// When it was made.
    #[schema(value_type = Rfc3339)]
    pub timestamp: String,
    /// Each check.
    pub checks: Checks,
}

/// The checks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthChecks)]
pub struct Checks {
    pub(super) xrpl: XrplCheck,
    pub(super) wallet: WalletCheck,
    pub(super) journal: JournalCheck,
    pub(super) payments: PaymentsCheck,
    pub(super) store: PlainCheck,
    pub(super) books: BooksCheck,
    pub(super) webhooks: WebhooksCheck,
    pub(super) process: PlainCheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LeaseCheck)]
    pub(super) lease: Option<LeaseCheck>,
}

/// The pool of servers.
#[derive(Debug, Serialize, ToSchema)]
pub struct XrplCheck {
    pub(super) status: Status,
    pub(super) servers_ready: usize,
    pub(super) servers_configured: usize,
    pub(super) quorum: usize,
    pub(super) latency_ms: Option<u64>,
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    pub(super) validated_ledger: Option<LedgerIndex>,
    pub(super) ledger_age_s: Option<i64>,
}

/// The wallets; balances are shown to operators alone.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletCheck {
    pub(super) status: Status,
    pub(super) balance_xrp: Option<String>,
    pub(super) spendable_xrp: Option<String>,
    pub(super) halted: usize,
    /// How many transactions their accounts sent that nothing here signed and that nobody has accepted yet.
    pub(super) foreign_unaccepted: usize,
    /// Of how many the replica that works them has said nothing for some time: nobody may be working them.
    pub(super) unseen: usize,
    /// How long ago it said something of the one that it is longest for; null where this replica works all.
    pub(super) view_age_s: Option<u64>,
}

/// How many histories cannot be read on, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalCheck {
    pub(super) status: Status,
    pub(super) waiting: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) detail: Vec<String>,
}

/// The payments that are on their way.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentsCheck {
    pub(super) status: Status,
    pub(super) paused: bool,
    pub(super) pending: Option<u64>,
    pub(super) oldest_age_s: Option<i64>,
}

/// What the last reconciliation found.
#[derive(Debug, Serialize, ToSchema)]
pub struct BooksCheck {
    pub(super) status: Status,
    #[schema(value_type = Option<scalar::LedgerIndex>)]
    pub(super) checked_through: Option<LedgerIndex>,
    pub(super) differences: Option<usize>,
}

/// What receivers have not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhooksCheck {
    pub(super) status: Status,
    pub(super) oldest_undelivered_s: Option<i64>,
}

/// One word, and why where it is not a good one.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlainCheck {
    pub(super) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub(super) detail: Option<String>,
}

/// What this process is to its wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It holds all of them.
    Holder,
    /// It holds none, and takes over what another leaves.
    Standby,
    /// It holds some, and other replicas the others.
    Mixed,
}

/// Who holds one wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldBy {
    /// The name of the replica; null while nobody has it.
    pub(super) holder: Option<String>,
    /// How often the lease has been taken.
    pub(super) epoch: u64,
}

/// Which wallets this process holds: it alone signs for them.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeaseCheck {
    pub(super) status: Status,
    /// Whether it holds any.
    pub(super) held: bool,
    pub(super) role: Role,
    /// How many it holds.
    pub(super) count: usize,
    /// Who holds each wallet; for operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, HeldBy>)]
    pub(super) wallets: Option<BTreeMap<String, HeldBy>>,
}
