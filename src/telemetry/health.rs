//! What the daemon says about its own health: a pure fold of measured facts.
//!
//! Three words. *Unhealthy* is what taking this process out of service could cure, or what makes it
//! useless: it cannot durably accept payments, or it has stopped making progress. *Degraded* is what
//! a person should look at and a restart does not cure: a low balance, slow confirmations, servers
//! that do not answer. A payment that is accepted while the ledger is out of reach is paid when it is
//! back, so the ledger's absence alone is never *unhealthy*.

mod document;
mod thresholds;

pub use thresholds::{Alert, Thresholds};

use document::{
    BooksCheck, HeldBy, JournalCheck, LeaseCheck, PaymentsCheck, PlainCheck, Role, WalletCheck,
    WebhooksCheck, XrplCheck,
};
use serde::Serialize;
use utoipa::ToSchema;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::money::Drops;

pub use document::{Checks, Document};

/// Ledgers close every few seconds; none for so long is worth a look.
pub const LEDGER_AGE_S_MAX: i64 = 30;

/// An event that a receiver has not taken for so long, after several tries, is worth a look.
pub const OLDEST_UNDELIVERED_S_MAX: i64 = 900;

/// One word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthStatus)]
pub enum Status {
    /// All is well.
    Healthy,
    /// A person should look.
    Degraded,
    /// Not fit for service.
    Unhealthy,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The pool.
    pub xrpl: XrplFacts,
    /// The wallets.
    pub wallets: Vec<WalletFacts>,
    /// The payments; absent where the store could not tell.
    pub payments: Option<PaymentFacts>,
    /// What operators have paused.
    pub pause: PauseFact,
    /// Whether the store takes writes.
    pub store: StoreFact,
    /// The books; absent before they were first held against the ledger.
    pub books: Option<BooksFacts>,
    /// Webhooks; absent where the store could not tell.
    pub webhooks: Option<WebhookFacts>,
    /// Whether this process holds the lease, where there are leases.
    pub lease_held: Option<bool>,
    /// Who holds each wallet.
    pub leases: Vec<LeaseFacts>,
    /// What has stopped making progress.
    pub stalled: Option<String>,
    /// Whether the daemon is on its way out.
    pub draining: Draining,
    /// What is worth a look.
    pub thresholds: Thresholds,
}

/// The pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XrplFacts {
    /// Servers that can be asked.
    pub servers_ready: usize,
    /// Servers that are configured.
    pub servers_configured: usize,
    /// Servers that must agree.
    pub quorum: usize,
    /// The best recent time of an answer.
    pub latency_ms: Option<u64>,
    /// The newest validated ledger that enough servers agree on.
    pub validated_ledger: Option<LedgerIndex>,
    /// How long ago it was seen.
    pub ledger_age_s: Option<i64>,
}

/// A wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletFacts {
    /// Its balance.
    pub balance: Option<Drops>,
    /// What it can pay.
    pub spendable: Option<Drops>,
    /// Below this it is worth a look.
    pub low_balance: Drops,
    /// Whether it was halted.
    pub halted: Halted,
    /// How many transactions of its account nothing here signed and nobody has accepted yet.
    pub foreign: usize,
    /// How long ago the replica that works it said so, where that is another.
    pub age_s: Option<u64>,
    /// Whether that is too long ago.
    pub is_stale: bool,
    /// Which ledgers of its history cannot be read, in a sentence each.
    pub waits: Vec<String>,
}

/// Whether a wallet signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halted {
    /// It does not, until a person has looked.
    Yes,
    /// It does.
    No,
}

/// The payments that are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentFacts {
    /// How many.
    pub pending: u64,
    /// How long the oldest has been.
    pub oldest_age_s: Option<i64>,
}

/// Whether operators have paused something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseFact {
    /// Nothing.
    Nothing,
    /// Something, which is their word and no fault.
    Something,
    /// Nobody can tell, so everything counts as paused.
    Unreadable,
}

/// What is on its way to receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookFacts {
    /// How long ago the oldest event happened that an endpoint has not taken, where there is one.
    pub oldest_undelivered_s: Option<i64>,
}

/// The books, as the last reconciliation found them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BooksFacts {
    /// The ledger through which they were compared.
    pub through: LedgerIndex,
    /// How many things differ.
    pub differences: usize,
}

/// Whether the store takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFact {
    /// It does.
    Writable,
    /// It does, and so does a server that it has succeeded: what is written there is lost.
    Split,
    /// It does, and the replicas on it are configured with different limits.
    LimitsDiffer,
    /// It does not answer, or does not write.
    Down,
}

/// Whether the daemon is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// It takes no new payments.
    Yes,
    /// It serves.
    No,
}

/// Who holds one wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseFacts {
    /// The wallet.
    pub wallet: String,
    /// Whether this process does.
    pub is_here: bool,
    /// The name of the replica that does.
    pub holder: Option<String>,
    /// How often the lease was taken.
    pub epoch: u64,
}

/// Who reads the document: a balance is not for strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The operator: on the machine itself, or with a key.
    Operator,
    /// Anybody.
    Stranger,
}

/// Folds the facts into the document.
#[must_use]
pub fn examine(facts: &Facts, audience: Audience, timestamp: String) -> Document {
    let thresholds = &facts.thresholds;
    let xrpl = examine_xrpl(&facts.xrpl, thresholds);
    let wallet = examine_wallets(&facts.wallets, audience, thresholds);
    let journal = examine_journals(&facts.wallets, audience);
    let payments = examine_payments(facts.payments, facts.pause, thresholds);
    let store = match facts.store {
        StoreFact::Writable => plain(Status::Healthy, None),
        StoreFact::Split => plain(
            Status::Degraded,
            Some("a server that another has succeeded still takes writes: take it away"),
        ),
        StoreFact::LimitsDiffer => plain(
            Status::Degraded,
            Some("replicas are configured with different limits: the strictest hold"),
        ),
        StoreFact::Down => plain(Status::Unhealthy, Some("does not take writes")),
    };
    let books = examine_books(facts.books, thresholds);
    let webhooks = examine_webhooks(facts.webhooks, thresholds);
    let process = match (&facts.stalled, facts.draining) {
        (Some(what), _) => plain(Status::Unhealthy, Some(what)),
        (None, Draining::Yes) => plain(Status::Degraded, Some("shutting down")),
        (None, Draining::No) => plain(Status::Healthy, None),
    };
    let lease = facts
        .lease_held
        .map(|held| examine_leases(held, &facts.leases, audience));
    let worst = [
        xrpl.status,
        wallet.status,
        journal.status,
        payments.status,
        store.status,
        books.status,
        webhooks.status,
        process.status,
    ];
    Document {
        status: worst.into_iter().max().unwrap_or(Status::Healthy),
        timestamp,
        checks: Checks {
            xrpl,
            wallet,
            journal,
            payments,
            store,
            books,
            webhooks,
            process,
            lease,
        },
    }
}

/// The process without a lease serves the API like the others; that is no fault.
fn examine_leases(held: bool, leases: &[LeaseFacts], audience: Audience) -> LeaseCheck {
    let count = leases.iter().filter(|lease| lease.is_here).count();
    let role = match count {
        0 => Role::Standby,
        all if all == leases.len() => Role::Holder,
        _ => Role::Mixed,
    };
    let held_by = |lease: &LeaseFacts| {
        let held_by = HeldBy {
            holder: lease.holder.clone(),
            epoch: lease.epoch,
        };
        (lease.wallet.clone(), held_by)
    };
    let is_shown = audience == Audience::Operator;
    LeaseCheck {
        status: Status::Healthy,
        held,
        role,
        count,
        wallets: is_shown.then(|| leases.iter().map(held_by).collect()),
    }
}

/// A difference is for a person, and no restart cures it. Books that were not compared yet are not
/// wrong.
fn examine_books(facts: Option<BooksFacts>, thresholds: &Thresholds) -> BooksCheck {
    let differs =
        thresholds.minds(Alert::Books) && facts.is_some_and(|facts| facts.differences > 0);
    BooksCheck {
        status: if differs {
            Status::Degraded
        } else {
            Status::Healthy
        },
        checked_through: facts.map(|facts| facts.through),
        differences: facts.map(|facts| facts.differences),
    }
}

/// A receiver that takes nothing is its owner's to mend; the operator sees it, and no restart helps.
fn examine_webhooks(facts: Option<WebhookFacts>, thresholds: &Thresholds) -> WebhooksCheck {
    let oldest = facts.and_then(|facts| facts.oldest_undelivered_s);
    let late = thresholds.minds(Alert::Webhooks)
        && oldest.is_some_and(|age| age > OLDEST_UNDELIVERED_S_MAX);
    WebhooksCheck {
        status: if late {
            Status::Degraded
        } else {
            Status::Healthy
        },
        oldest_undelivered_s: oldest,
    }
}

/// Whether the process makes progress.
///
/// # Errors
/// What does not.
pub fn live(facts_stalled: Option<&str>) -> Result<(), String> {
    facts_stalled.map_or(Ok(()), |what| Err(what.to_owned()))
}

/// Whether a payment can be durably accepted now.
///
/// # Errors
/// Why not.
pub const fn ready(store: StoreFact, draining: Draining) -> Result<(), &'static str> {
    match (store, draining) {
        (StoreFact::Down, _) => Err("the store does not take writes"),
        (StoreFact::Writable | StoreFact::Split | StoreFact::LimitsDiffer, Draining::Yes) => {
            Err("the daemon is shutting down")
        }
        (StoreFact::Writable | StoreFact::Split | StoreFact::LimitsDiffer, Draining::No) => Ok(()),
    }
}

fn plain(status: Status, detail: Option<&str>) -> PlainCheck {
    PlainCheck {
        status,
        detail: detail.map(str::to_owned),
    }
}

fn examine_xrpl(facts: &XrplFacts, thresholds: &Thresholds) -> XrplCheck {
    let agreed = facts.servers_ready >= facts.quorum;
    let is_fresh = |age| age <= LEDGER_AGE_S_MAX;
    let fresh = facts.ledger_age_s.is_some_and(is_fresh) || !thresholds.minds(Alert::LedgerAge);
    let is_slow = |latency| latency > thresholds.latency_ms_max;
    let slow = facts.latency_ms.is_some_and(is_slow) && thresholds.minds(Alert::Latency);
    XrplCheck {
        status: if agreed && fresh && !slow {
            Status::Healthy
        } else {
            Status::Degraded
        },
        servers_ready: facts.servers_ready,
        servers_configured: facts.servers_configured,
        quorum: facts.quorum,
        latency_ms: facts.latency_ms,
        validated_ledger: facts.validated_ledger,
        ledger_age_s: facts.ledger_age_s,
    }
}

fn examine_wallets(
    wallets: &[WalletFacts],
    audience: Audience,
    thresholds: &Thresholds,
) -> WalletCheck {
    let halted = wallets
        .iter()
        .filter(|wallet| wallet.halted == Halted::Yes)
        .count();
    let fit = |wallet: &WalletFacts| {
        wallet
            .balance
            .is_some_and(|balance| balance >= wallet.low_balance)
    };
    let is_funded = wallets.iter().all(fit) || !thresholds.minds(Alert::LowBalance);
    let unseen = wallets.iter().filter(|wallet| wallet.is_stale).count();
    let healthy = halted == 0 && unseen == 0 && !wallets.is_empty() && is_funded;
    let sum = |of: fn(&WalletFacts) -> Option<Drops>| -> Option<String> {
        if audience == Audience::Stranger || wallets.is_empty() {
            return None;
        }
        let mut total = Drops::ZERO;
        for wallet in wallets {
            total = total.checked_add(of(wallet)?)?;
        }
        Some(total.to_xrp())
    };
    WalletCheck {
        status: if healthy {
            Status::Healthy
        } else {
            Status::Degraded
        },
        balance_xrp: sum(|wallet| wallet.balance),
        spendable_xrp: sum(|wallet| wallet.spendable),
        halted,
        foreign_unaccepted: wallets.iter().map(|wallet| wallet.foreign).sum(),
        unseen,
        view_age_s: wallets.iter().filter_map(|wallet| wallet.age_s).max(),
    }
}

/// History that cannot be read is for a person, who adds a server that holds it. Which servers lack what
/// is not for strangers.
fn examine_journals(wallets: &[WalletFacts], audience: Audience) -> JournalCheck {
    let waits = || wallets.iter().flat_map(|wallet| &wallet.waits);
    let waiting = waits().count();
    JournalCheck {
        status: if waiting == 0 {
            Status::Healthy
        } else {
            Status::Degraded
        },
        waiting,
        detail: match audience {
            Audience::Operator => waits().cloned().collect(),
            Audience::Stranger => Vec::new(),
        },
    }
}

/// A pause keeps payments waiting that would be slow otherwise, and is no fault of the daemon's.
fn examine_payments(
    facts: Option<PaymentFacts>,
    pause: PauseFact,
    thresholds: &Thresholds,
) -> PaymentsCheck {
    let is_old = |age| age > thresholds.oldest_age_s_max;
    let oldest = facts.and_then(|facts| facts.oldest_age_s);
    let slow = oldest.is_some_and(is_old)
        && thresholds.minds(Alert::OldestPayment)
        && pause != PauseFact::Something;
    PaymentsCheck {
        paused: pause != PauseFact::Nothing,
        status: if slow || facts.is_none() || pause == PauseFact::Unreadable {
            Status::Degraded
        } else {
            Status::Healthy
        },
        pending: facts.map(|facts| facts.pending),
        oldest_age_s: facts.and_then(|facts| facts.oldest_age_s),
    }
}

#[cfg(test)]
mod tests;
