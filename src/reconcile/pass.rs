//! One comparison of one wallet's books with the ledger, stretch by stretch.

use super::forgotten::{self, Forgotten};
use crate::journal::entries_of;
use crate::journal::span::Span;
use crate::store::{BookedRow, Standing, Store, StoreError};
use crate::wallet::marker;
use crate::xrpl::{AgreedHistory, AgreedRoot, HistoryError, Pool};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{LedgerHash, LedgerIndex};
use xrpayd_core::money::Drops;
use xrpayd_core::payment::Payment;
use xrpayd_core::reconcile::{
    self, AtCursor, Booked, BookedDeposit, Books, Claim, Compared, Difference, Kind, Moved,
};

/// Ledgers that are compared at a time, so that memory is bounded whatever the journal's length.
const STRETCH_MAX: u32 = 4_096;
/// Ledgers that are compared first. Each answer lets the next stretch be twice as long and each failure
/// half as long, so that slow servers are asked for what they can answer in time.
const STRETCH_FIRST: u32 = 32;
/// How long servers that cannot answer are asked again before the comparison is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before they are.
const PAUSE: Duration = Duration::from_millis(250);

/// How much of a journal is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// All of it.
    Whole,
    /// From this ledger on.
    From(LedgerIndex),
    /// So many of its newest ledgers, as far as the servers hold them.
    Newest(u32),
}

/// What became of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The wallet.
    pub wallet: String,
    /// Its account.
    pub account: AccountId,
    /// The first ledger that was compared.
    pub from: LedgerIndex,
    /// The last one: the journal's end.
    pub through: LedgerIndex,
    /// The balance before it by the books, in drops.
    pub opening: i128,
    /// What moved it since.
    pub moved: Moved,
    /// The balance that the books predict at the end, in drops.
    pub books: i128,
    /// The balance that the ledger shows there; `None` where the books could not be read so far.
    pub ledger: Option<Drops>,
    /// The servers that agreed on it.
    pub servers: Vec<String>,
    /// Transactions that were not signed here and that a person has accepted.
    pub foreign_known: u64,
    /// The ledger up to which a person had accepted such when the comparison began.
    pub accepted_through: Option<LedgerIndex>,
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// What was delivered for payments that this database does not know any more.
    pub forgotten: Vec<Forgotten>,
}

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// The servers.
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] HistoryError),
    /// The database.
    #[error("the books cannot be read: {0}")]
    Books(#[from] StoreError),
    /// The journal ends before the asked ledger.
    #[error("the journal ends at ledger {at} and was to be compared from ledger {from}")]
    BeyondTheJournal {
        /// What was asked for.
        from: LedgerIndex,
        /// Where the journal ends.
        at: LedgerIndex,
    },
}

/// Compares the books of `wallet` with the ledger; `None` where its journal has not begun.
///
/// # Errors
/// Books or ledger could not be read, which says nothing about whether they agree.
pub async fn wallet(
    store: &Store,
    pool: &Pool,
    name: &str,
    reach: Reach,
) -> Result<Option<Outcome>, Unable> {
    let Some(standing) = store.standing(name, LedgerIndex(0)).await? else {
        return Ok(None);
    };
    let from = beginning(pool, reach, &standing)?;
    let Some(standing) = store.standing(name, from).await? else {
        return Ok(None);
    };
    // What older ledgers were asked for lies before the journal, and belongs to the whole of it.
    let since = match from == standing.cursor.start {
        true => LedgerIndex(0),
        false => from,
    };
    let forgotten = forgotten::find(store, name, since, standing.cursor.at).await?;
    let mut pass = Pass::begin(store, pool, name, standing, from).await?;
    pass.outcome.forgotten = forgotten;
    match pass.run().await {
        Ok(()) => {}
        // A row that means nothing is the finding; what stands after it cannot be compared.
        Err(Unable::Books(StoreError::Corrupt { what, why })) => {
            pass.outcome.differences.push(unreadable(what, why));
        }
        Err(unable) => return Err(unable),
    }
    Ok(Some(pass.outcome))
}

/// Compares the counters of the whole database with the payments that they count, and its invoices with
/// their deposits.
///
/// # Errors
/// The database does not answer.
pub async fn counters(store: &Store) -> Result<Vec<Difference>, StoreError> {
    let mut found = match store.tally().await {
        Ok(tally) => reconcile::counters(&tally),
        Err(StoreError::Corrupt { what, why }) => vec![unreadable(what, why)],
        Err(error) => return Err(error),
    };
    match invoices(store).await {
        Ok(of_invoices) => found.extend(of_invoices),
        Err(StoreError::Corrupt { what, why }) => found.push(Difference {
            kind: Kind::Invoice,
            ..unreadable(what, why)
        }),
        Err(error) => return Err(error),
    }
    Ok(found)
}

/// The invoices that say something else than their deposits, a page of them at a time.
async fn invoices(store: &Store) -> Result<Vec<Difference>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let sums = store.invoice_sums(after).await?;
        let Some(last) = sums.last() else {
            return Ok(found);
        };
        after = Some(last.id);
        found.extend(reconcile::invoices(&sums));
    }
}

fn unreadable(what: String, why: String) -> Difference {
    Difference {
        kind: Kind::Unreadable,
        subject: what,
        ledger_index: None,
        books: why,
        ledger: "nothing that it could be held against".to_owned(),
        drops: 0,
    }
}

fn beginning(pool: &Pool, reach: Reach, standing: &Standing) -> Result<LedgerIndex, Unable> {
    let (start, at) = (standing.cursor.start, standing.cursor.at);
    match reach {
        Reach::Whole => Ok(start),
        Reach::From(from) if from > at && from > start => {
            Err(Unable::BeyondTheJournal { from, at })
        }
        Reach::From(from) => Ok(from.max(start)),
        Reach::Newest(count) => {
            let newest = LedgerIndex(at.0.saturating_sub(count)).plus(1);
            let held = pool.lowest_held().unwrap_or(start);
            // A ledger that is not there any more before the first one that is compared costs the
            // check of the opening balance, so one is kept where there is a choice.
            let held = if held > start { held.plus(1) } else { held };
            Ok(newest.max(held).max(start).min(at.plus(1).max(start)))
        }
    }
}

/// A comparison under way.
struct Pass<'a> {
    store: &'a Store,
    pool: &'a Pool,
    standing: Standing,
    /// The account's root at the journal's end.
    closing: AgreedRoot,
    /// The balance by the books right before the next stretch.
    balance: i128,
    /// The account's next sequence there.
    sequence: u32,
    /// How many ledgers the next stretch may have.
    span: Span,
    outcome: Outcome,
}

impl<'a> Pass<'a> {
    async fn begin(
        store: &'a Store,
        pool: &'a Pool,
        name: &str,
        standing: Standing,
        from: LedgerIndex,
    ) -> Result<Self, Unable> {
        let account = standing.account;
        // First of all: servers keep an account's state for some hundreds of ledgers only, and the journal
        // may be so long that they are gone once it is read.
        let closing = root_at(pool, account, standing.cursor.at).await?;
        let before = LedgerIndex(from.0.saturating_sub(1));
        let root = match root_at(pool, account, before).await {
            Ok(root) => Some(root),
            // Where the books know their own beginning, the ledger before it may be gone.
            Err(HistoryError::Gap { .. } | HistoryError::Request(_))
                if standing.opening.is_some() =>
            {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let shown = root.as_ref().map(|root| (balance(root), sequence(root)));
        let booked = standing
            .opening
            .map(|opening| opening.saturating_add(standing.moved_before));
        let on_ledger = shown.map(|(balance, _)| i128::from(balance.get()));
        let opening = booked.or(on_ledger).unwrap_or_default();
        let differs = shown.and_then(|(ledger, _)| {
            reconcile::balance_at(Kind::OpeningBalance, before, opening, ledger)
        });
        let is_whole = from == standing.cursor.start;
        Ok(Self {
            store,
            pool,
            balance: opening,
            // Nothing was signed before the journal began, and whatever says so is to be looked at.
            sequence: shown.filter(|_| !is_whole).map_or(0, |(_, next)| next),
            span: Span::new(STRETCH_FIRST, STRETCH_MAX),
            outcome: Outcome {
                wallet: name.to_owned(),
                account,
                from,
                through: standing.cursor.at,
                opening,
                moved: Moved::default(),
                books: opening,
                ledger: None,
                servers: Vec::new(),
                foreign_known: 0,
                accepted_through: standing.foreign_accepted,
                differences: differs.into_iter().collect(),
                forgotten: Vec::new(),
            },
            closing,
            standing,
        })
    }

    async fn run(&mut self) -> Result<(), Unable> {
        let (mut next, end) = (self.outcome.from, self.standing.cursor.at);
        let mut hash = None;
        while next <= end {
            let history = self.ledger_from(next, end).await?;
            next = history.to.plus(1);
            hash = Some(history.to_hash);
            self.stretch(history, next > end).await?;
        }
        let hash = match hash {
            Some(hash) => hash,
            None => self.ledger_from(end, end).await?.to_hash,
        };
        self.at_the_end(hash);
        Ok(())
    }

    /// What the ledger holds from `from` on, as far as is read at a time and not beyond `end`.
    async fn ledger_from(
        &mut self,
        from: LedgerIndex,
        end: LedgerIndex,
    ) -> Result<AgreedHistory, HistoryError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let to = self.span.to(from, end);
            let history = self.pool.history(self.outcome.account, from, to).await;
            match &history {
                Ok(_) => self.span.answered(),
                Err(_) => self.span.failed(),
            }
            match history {
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn stretch(&mut self, history: AgreedHistory, is_last: bool) -> Result<(), Unable> {
        let (from, to) = (history.from, history.to);
        let name = self.outcome.wallet.clone();
        let ledger = entries_of(history);
        let roots = ledger.iter().filter_map(|entry| entry.root_after);
        let after = roots
            .map(|root| root.sequence)
            .fold(self.sequence, u32::max);
        let until = if is_last { u32::MAX } else { after };
        let booked = self.store.booked(&name, from, to).await?;
        let (deposits, unbooked) = self.deposits(from, to).await?;
        let remembered = self.store.remembered_between(&name, from, to).await?;
        let signed = self
            .store
            .signed_for(&name, (self.sequence, until), (from, to))
            .await?;
        let mut payments: Vec<Claim> = signed
            .payments
            .into_iter()
            .map(|payment| claim(&name, payment))
            .collect();
        if !remembered.is_empty() {
            payments.extend(self.called_off(&name).await?);
        }
        let books = Books {
            account: self.outcome.account,
            from,
            to,
            opening: self.balance,
            entries: with_changes(booked, self.balance),
            payments,
            chores: signed.chores,
            remembered,
            accepted_through: self.standing.foreign_accepted,
            deposits,
            unbooked,
        };
        self.take(reconcile::compare(&books, &ledger));
        self.sequence = after;
        Ok(())
    }

    /// What was booked of these ledgers, and which of them are not to be held against it. Deposits that
    /// cannot be read are a finding, and keep nothing else from being compared.
    async fn deposits(
        &mut self,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<(Vec<BookedDeposit>, Option<RangeInclusive<LedgerIndex>>), StoreError> {
        let name = &self.outcome.wallet;
        match self.store.booked_deposits(name, from, to).await {
            Ok(deposits) => Ok((deposits, self.standing.unbooked.clone())),
            Err(StoreError::Corrupt { what, why }) => {
                self.outcome.differences.push(Difference {
                    kind: Kind::Deposit,
                    ..unreadable(what, why)
                });
                Ok((Vec::new(), Some(from..=to)))
            }
            Err(error) => Err(error),
        }
    }

    /// The payments that ended without an attempt, whichever wallet they were given to: the ledger must
    /// not remember one of them as paid from this one.
    async fn called_off(&self, name: &str) -> Result<Vec<Claim>, StoreError> {
        let mut found: Vec<Claim> = Vec::new();
        loop {
            let after = found.last().map(|claim| claim.payment.id);
            let page = self.store.ended_unsigned(after).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page.into_iter().map(|payment| claim(name, payment)));
        }
    }

    fn take(&mut self, compared: Compared) {
        let (sum, more) = (&mut self.outcome.moved, compared.moved);
        sum.fees = sum.fees.saturating_add(more.fees);
        sum.delivered = sum.delivered.saturating_add(more.delivered);
        sum.credited = sum.credited.saturating_add(more.credited);
        sum.other = sum.other.saturating_add(more.other);
        self.balance = compared.closing;
        self.outcome.books = compared.closing;
        let foreign = &mut self.outcome.foreign_known;
        *foreign = foreign.saturating_add(compared.foreign_known);
        self.outcome.differences.extend(compared.differences);
    }

    fn at_the_end(&mut self, hash: LedgerHash) {
        let at = self.standing.cursor.at;
        let root = &self.closing;
        let there = AtCursor {
            balance: balance(root),
            sequence: sequence(root),
            owner_count: root.root.map_or(0, |root| root.owner_count),
        };
        let outcome = &mut self.outcome;
        outcome.ledger = Some(there.balance);
        outcome.servers.clone_from(&root.servers);
        let sum = reconcile::balance_at(Kind::Balance, at, outcome.books, there.balance);
        outcome.differences.extend(sum);
        let (cursor, outside) = (&self.standing.cursor, self.standing.rows_outside);
        let stands = reconcile::cursor(cursor, hash, there, outside);
        outcome.differences.extend(stands);
        let astray = self.standing.deposits_outside.iter();
        outcome.differences.extend(astray.map(reconcile::astray));
    }
}

/// A payment, with the marker that it bears where `wallet` pays it.
fn claim(wallet: &str, payment: Payment) -> Claim {
    let marker = marker::of(wallet, &payment.client, &payment.order.idempotency_key);
    Claim { payment, marker }
}

/// The rows with what each moved; the first that moved anything may have been booked without it.
fn with_changes(rows: Vec<BookedRow>, opening: i128) -> Vec<Booked> {
    let mut running = opening;
    rows.into_iter()
        .map(|(entry, change)| {
            let shown = entry.root_after.map(|root| i128::from(root.balance.get()));
            let change = change
                .unwrap_or_else(|| shown.map_or(0, |balance| balance.saturating_sub(running)));
            running = shown.unwrap_or(running);
            Booked { entry, change }
        })
        .collect()
}

/// An account that does not exist owns nothing.
fn balance(root: &AgreedRoot) -> Drops {
    root.root.map_or(Drops::ZERO, |root| root.balance)
}

fn sequence(root: &AgreedRoot) -> u32 {
    root.root.map_or(0, |root| root.sequence)
}

/// The account's root, asked for until there is an answer that waiting cannot better.
async fn root_at(
    pool: &Pool,
    account: AccountId,
    at: LedgerIndex,
) -> Result<AgreedRoot, HistoryError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match pool.account_root(account, at).await {
            Err(error) if is_passing(&error) && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Whether waiting may better a failure.
const fn is_passing(error: &HistoryError) -> bool {
    matches!(
        error,
        HistoryError::NotEnoughServers { .. } | HistoryError::Request(_)
    )
}
