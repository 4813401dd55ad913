//! An invoice: money that is asked for, and what came for it. [`decide`] is the only transition.
//!
//! Everything is decided by the ledger's own facts: an invoice is late by the close time of the ledger
//! that holds the credit, and it has expired once a ledger closed after its end. So the same ledgers
//! make the same invoice, however they are cut into pages and whenever they are read.
//!
//! What is received is the sum of the invoice's credits and nothing else. A credit that cannot be added
//! exactly, or that is not the invoice's to take, is refused here and goes to a person.

mod invariants;
#[cfg(test)]
mod tests;
mod uri;

pub use invariants::check;
pub use uri::payment_uri;

use crate::address::AccountId;
use crate::amount::Amount;
use crate::deposit::Unmatched;
use crate::ids::{InvoiceId, LedgerIndex, UnixMs};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The most that an invoice may forgive, in hundredths of a percent: something has to be paid.
pub const TOLERANCE_BPS_MAX: u32 = 9_999;
/// The shortest and longest life of an invoice, in seconds: terms of business may be a quarter and more.
pub const LIFE_S: RangeInclusive<u64> = 1..=365 * 24 * 60 * 60;
/// The whole, in hundredths of a percent.
const WHOLE_BPS: u32 = 10_000;

/// How an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvoiceStatus {
    /// Nothing has come.
    Open,
    /// Something has come, and not enough.
    PartiallyPaid,
    /// Enough has come. More may.
    Paid,
    /// Its time ran out before enough had come. What comes late is taken all the same.
    Expired,
    /// It was called off, and takes nothing more.
    Cancelled,
}

impl InvoiceStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Open,
        Self::PartiallyPaid,
        Self::Paid,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The text in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::PartiallyPaid => "partially_paid",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the invoice still waits for money.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        match self {
            Self::Open | Self::PartiallyPaid => true,
            Self::Paid | Self::Expired | Self::Cancelled => false,
        }
    }
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its identifier.
    pub id: InvoiceId,
    /// Counts its changes, from 1.
    pub version: u32,
    /// The API client that asks for the money.
    pub client: String,
    /// The wallet that is paid.
    pub wallet: String,
    /// That wallet's account.
    pub account: AccountId,
    /// The tag by which its credits are known; never 0.
    pub destination_tag: u32,
    /// The newest validated ledger when it was issued, where one was known: what that ledger or one
    /// before it holds was paid to somebody else's use of the tag.
    pub issued_after: Option<LedgerIndex>,
    /// How much is asked for.
    pub amount: Amount,
    /// How much less than that is enough, in hundredths of a percent.
    pub tolerance_bps: u32,
    /// How it stands.
    pub status: InvoiceStatus,
    /// Whether more came than was asked for.
    pub overpaid: bool,
    /// Whether something came after its end while it was not paid.
    pub paid_late: bool,
    /// The sum of its credits.
    pub received: Amount,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The caller's own data.
    pub metadata: BTreeMap<String, String>,
    /// Until when it is to be paid, by the ledger's clock.
    pub expires_at: UnixMs,
    /// When it was issued.
    pub created_at: UnixMs,
    /// When it last changed.
    pub updated_at: UnixMs,
    /// When it stopped waiting, or last took something since; its tag rests from then on.
    pub ended_at: Option<UnixMs>,
}

/// What happens to an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A validated ledger holds a credit to its tag.
    Credit {
        /// How much arrived.
        amount: Amount,
        /// The ledger that holds it.
        ledger_index: LedgerIndex,
        /// When that ledger closed.
        closed_at: UnixMs,
    },
    /// A person says that a credit is for it, whatever its tag and however old it is.
    Assign {
        /// How much arrived.
        amount: Amount,
        /// When the ledger that holds the credit closed.
        closed_at: UnixMs,
    },
    /// The journal has been read through a ledger.
    Expire {
        /// When that ledger closed.
        closed_at: UnixMs,
    },
    /// Whoever asked for the money no longer does.
    Cancel,
}

/// What is told of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// Something came, and it is not enough.
    PartiallyPaid,
    /// Something came, and what was asked for is there.
    Paid,
    /// Something came, and it is more than was asked for.
    Overpaid,
    /// Its time ran out.
    Expired,
    /// It was called off.
    Cancelled,
}

impl Told {
    /// The type of the event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartiallyPaid => "invoice.partially_paid",
            Self::Paid => "invoice.paid",
            Self::Overpaid => "invoice.overpaid",
            Self::Expired => "invoice.expired",
            Self::Cancelled => "invoice.cancelled",
        }
    }
}

/// One change of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The invoice after it.
    pub invoice: Invoice,
    /// What is told of it: one thing, or two where an invoice is paid and overpaid at once, so that
    /// whoever waits for the one need not know of the other.
    pub told: Vec<Told>,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// It was called off.
    #[error("it is cancelled")]
    Cancelled,
    /// It asks for something else.
    #[error("it asks for another asset")]
    OtherAsset,
    /// The ledger's own number cannot hold the sum.
    #[error("the sum cannot be told exactly")]
    NotExact,
    /// The ledger closed before the invoice was issued.
    #[error("it was issued after that ledger")]
    BeforeInvoice,
    /// Nothing arrived.
    #[error("nothing arrived")]
    Nothing,
    /// Its time is not up by that ledger's clock.
    #[error("its time is not up")]
    NotExpired,
    /// It stands where nothing can be called off any more.
    #[error("it is {0}")]
    Final(&'static str),
}

impl Illegal {
    /// Why a credit stays unmatched because of it.
    #[must_use]
    pub const fn unmatched(self) -> Unmatched {
        match self {
            Self::Cancelled => Unmatched::InvoiceCancelled,
            Self::OtherAsset => Unmatched::OtherAsset,
            Self::NotExact => Unmatched::NotExact,
            Self::BeforeInvoice => Unmatched::BeforeInvoice,
            // A credit of nothing is none, and the others are said of no credit: a person looks.
            Self::Nothing | Self::NotExpired | Self::Final(_) => Unmatched::AmountUnknown,
        }
    }
}

/// What becomes of an invoice by an event, change by change; `now` is the time of the change.
///
/// # Errors
/// Why nothing does.
pub fn decide(invoice: &Invoice, event: Event, now: UnixMs) -> Result<Vec<Step>, Illegal> {
    let steps = match event {
        Event::Credit {
            amount,
            ledger_index,
            closed_at,
        } => credit(invoice, amount, (Some(ledger_index), closed_at), now)?,
        Event::Assign { amount, closed_at } => credit(invoice, amount, (None, closed_at), now)?,
        Event::Expire { closed_at } => vec![expire(invoice, closed_at, now)?],
        Event::Cancel => vec![cancel(invoice, now)?],
    };
    let mut before = invoice;
    for step in &steps {
        invariants::assert_step(before, &step.invoice);
        before = &step.invoice;
    }
    Ok(steps)
}

fn credit(
    invoice: &Invoice,
    amount: Amount,
    (ledger_index, closed_at): (Option<LedgerIndex>, UnixMs),
    now: UnixMs,
) -> Result<Vec<Step>, Illegal> {
    if amount.asset() != invoice.amount.asset() {
        return Err(Illegal::OtherAsset);
    }
    if amount.is_zero() {
        return Err(Illegal::Nothing);
    }
    // Only who goes by the tag can take an earlier invoice's credit for this one's.
    if ledger_index.is_some_and(|index| invoice.issued_after.is_some_and(|at| index <= at)) {
        return Err(Illegal::BeforeInvoice);
    }
    if invoice.status == InvoiceStatus::Cancelled {
        return Err(Illegal::Cancelled);
    }
    let received = invoice.received.checked_add(&amount);
    let received = received.ok_or(Illegal::NotExact)?;
    let mut steps = Vec::new();
    // The ledger that holds the credit closed after the end, so the end came first, wherever the page
    // that tells of both was cut.
    if let Ok(expired) = expire(invoice, closed_at, now) {
        steps.push(expired);
    }
    let before = steps.last().map_or(invoice, |step| &step.invoice);
    let was_paid = before.status == InvoiceStatus::Paid;
    let is_enough = is_enough(&received, &invoice.amount, invoice.tolerance_bps);
    let overpaid = received > invoice.amount;
    let is_late = closed_at > invoice.expires_at && !was_paid;
    let status = match before.status {
        _ if is_enough => InvoiceStatus::Paid,
        InvoiceStatus::Expired => InvoiceStatus::Expired,
        _ => InvoiceStatus::PartiallyPaid,
    };
    let told = match (is_enough, was_paid, overpaid) {
        (false, _, _) => vec![Told::PartiallyPaid],
        (true, false, true) => vec![Told::Paid, Told::Overpaid],
        (true, true, true) => vec![Told::Overpaid],
        (true, _, false) => vec![Told::Paid],
    };
    let after = Invoice {
        received,
        overpaid,
        paid_late: before.paid_late || is_late,
        ..change(before, status, now)
    };
    steps.push(Step {
        invoice: after,
        told,
    });
    Ok(steps)
}

fn expire(invoice: &Invoice, closed_at: UnixMs, now: UnixMs) -> Result<Step, Illegal> {
    if !invoice.status.is_waiting() {
        return Err(Illegal::Final(invoice.status.as_str()));
    }
    // A ledger that closes at the very end is still in time, and the next one may close then too.
    if closed_at <= invoice.expires_at {
        return Err(Illegal::NotExpired);
    }
    Ok(Step {
        invoice: change(invoice, InvoiceStatus::Expired, now),
        told: vec![Told::Expired],
    })
}

fn cancel(invoice: &Invoice, now: UnixMs) -> Result<Step, Illegal> {
    if !invoice.status.is_waiting() {
        return Err(Illegal::Final(invoice.status.as_str()));
    }
    Ok(Step {
        invoice: change(invoice, InvoiceStatus::Cancelled, now),
        told: vec![Told::Cancelled],
    })
}

fn change(invoice: &Invoice, status: InvoiceStatus, now: UnixMs) -> Invoice {
    Invoice {
        version: invoice.version.saturating_add(1),
        status,
        updated_at: now,
        ended_at: (!status.is_waiting()).then_some(now),
        ..invoice.clone()
    }
}

impl Invoice {
    /// How much is still to come: nothing where nothing more is asked for, none where the ledger's own
    /// number cannot tell it.
    #[must_use]
    pub fn due(&self) -> Option<Amount> {
        match self.status {
            InvoiceStatus::Paid | InvoiceStatus::Cancelled => Some(self.amount.asset().zero()),
            InvoiceStatus::Open | InvoiceStatus::PartiallyPaid | InvoiceStatus::Expired => {
                self.amount.checked_sub(&self.received)
            }
        }
    }
}

/// Whether what was received is enough: `received × 10000 ≥ amount × (10000 − tolerance)`, exactly.
fn is_enough(received: &Amount, amount: &Amount, tolerance_bps: u32) -> bool {
    let asked_bps = u128::from(WHOLE_BPS.saturating_sub(tolerance_bps));
    let whole = |units: u64| u128::from(units) * u128::from(WHOLE_BPS);
    match (received, amount) {
        (Amount::Xrp(got), Amount::Xrp(asked)) => {
            whole(got.get()) >= u128::from(asked.get()) * asked_bps
        }
        (Amount::Mpt { value: got, .. }, Amount::Mpt { value: asked, .. }) => {
            whole(got.get()) >= u128::from(asked.get()) * asked_bps
        }
        (Amount::Token { value: got, .. }, Amount::Token { value: asked, .. }) => {
            if got.is_zero() || asked.is_zero() {
                return asked.is_zero();
            }
            // Both have sixteen digits, so that beyond five powers of ten between them the factors of
            // at most ten thousand decide nothing; below that the products fit by far.
            let apart = i32::from(got.exponent()) - i32::from(asked.exponent());
            let (got, asked) = (
                whole(got.mantissa()),
                u128::from(asked.mantissa()) * asked_bps,
            );
            match apart.cmp(&0) {
                _ if apart > 5 => true,
                _ if apart < -5 => false,
                Ordering::Less => got >= asked * 10_u128.pow(apart.unsigned_abs()),
                Ordering::Equal | Ordering::Greater => {
                    got * 10_u128.pow(apart.unsigned_abs()) >= asked
                }
            }
        }
        (Amount::Xrp(_) | Amount::Token { .. } | Amount::Mpt { .. }, _) => false,
    }
}
