//! The lane of one wallet: what its engine reads at the start, and the one way in which it writes.
//!
//! A commit is one transaction: the journal's cursor, payments, attempts with their blobs, plugs,
//! limits, counts, tickets and events. Either all of it is durable or none. It is refused when the wallet
//! is no longer held under the tenure that the engine has, when a payment or the cursor has moved since
//! it was read, and when it would leave an open attempt behind the cursor; nothing is written then.

use super::audit::{self, Actor};
use super::behind;
use super::changes::{self, Hand};
use super::db::{Row, Tx};
use super::deposits::Booked;
use super::error::{CommitError, StoreError};
use super::journal;
use super::lease::Tenure;
use super::payments::{self, drops_from};
use super::{Store, attempts, events, halts, limits, pauses, retry, ticket_requests, tickets};
use std::collections::HashMap;
use xrpayd_core::address::AccountId;
use xrpayd_core::engine::{
    InFlight, LaneCommit, LaneRecord, Making, NewPlug, NewTicketCreate, PlugRecord,
    TicketCreateRecord,
};
use xrpayd_core::ids::{LedgerHash, LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::Cursor;
use xrpayd_core::payment::{Attempt, NewAttempt, Payment, Substatus};

impl Store {
    /// What the engine of `wallet` starts from.
    ///
    /// # Errors
    /// The database does not answer, or holds something that cannot be read.
    pub async fn load_lane(&self, wallet: &str) -> Result<LaneRecord, StoreError> {
        let mut tx = self.db().read().await?;
        let row = tx
            .fetch_optional(
                format!(
                    "select {CURSOR}, sign_from, halted_reason, recall_from, recall_to \
                     from wallets where name = $1"
                ),
                vec![wallet.into()],
            )
            .await?;
        let mut record = LaneRecord::default();
        if let Some(row) = row {
            let (account, cursor) = anchored(wallet, &row)?;
            (record.account, record.cursor) = (Some(account), Some(cursor));
            record.halted = row.text_or_null("halted_reason")?;
            record.sign_from = row.uint_or_null("sign_from")?.map(LedgerIndex);
            let recall = (
                row.uint_or_null("recall_from")?,
                row.uint_or_null("recall_to")?,
            );
            record.recall = match recall {
                (Some(from), Some(to)) => Some((LedgerIndex(from), LedgerIndex(to))),
                _ => None,
            };
            record.remembers = tx
                .fetch_optional(
                    "select 1 as found from remembered where wallet = $1 limit 1",
                    vec![wallet.into()],
                )
                .await?
                .is_some();
        }
        let mut blobs = attempts::open_blobs(&mut tx, wallet).await?;
        record.in_flight = in_flight(&mut tx, &mut blobs).await?;
        for chore in attempts::open_chores(&mut tx, wallet).await? {
            match chore.making {
                None => record.plugs.push(plug_record(chore.attempt, chore.blob)),
                Some(making) => record.ticket_creates.push(making_record(chore, making)),
            }
        }
        record.tickets = tickets::standing(&mut tx, wallet).await?;
        tx.end().await?;
        Ok(record)
    }

    /// The queued payments of a wallet, oldest first, after one of them.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn queued(
        &self,
        wallet: &str,
        after: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        self.in_phase("queued", wallet, after, limit).await
    }

    /// The oldest payments of a wallet that are queued and show one of these words.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn queued_as(
        &self,
        wallet: &str,
        words: &[Substatus],
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let mut tx = self.db().read().await?;
        let places: Vec<String> = (3..words.len() + 3).map(|n| format!("${n}")).collect();
        let mut values = vec![wallet.into(), limit.into()];
        values.extend(words.iter().map(|word| word.as_str().into()));
        let sql = format!(
            "{} where p.wallet = $1 and p.status = 'processing' and p.phase = 'queued' \
             and p.substatus in ({}) order by p.id limit $2",
            select(),
            places.join(", ")
        );
        let rows = tx.fetch(sql, values).await?;
        let found = payments::assemble(&mut tx, &rows).await?;
        tx.end().await?;
        Ok(found)
    }

    /// The payments of a wallet that are queued, or wait for an approval, and whose time has run out;
    /// of each those first whose time ran out first.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn past_expiry(
        &self,
        wallet: &str,
        now: UnixMs,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(
                format!(
                    "{} where p.wallet = $1 and p.phase = 'queued' and p.expires_at is not null \
                     and p.expires_at <= $2 order by p.expires_at limit $3",
                    select()
                ),
                vec![wallet.into(), now.0.into(), limit.into()],
            )
            .await?;
        let mut found = payments::assemble(&mut tx, &rows).await?;
        let rows = tx
            .fetch(
                format!(
                    "{} where p.wallet = $1 and p.phase = 'awaiting' and p.approve_by <= $2 \
                     order by p.approve_by limit $3",
                    select()
                ),
                vec![wallet.into(), now.0.into(), limit.into()],
            )
            .await?;
        found.extend(payments::assemble(&mut tx, &rows).await?);
        tx.end().await?;
        Ok(found)
    }

    /// A wallet's payments that wait for an approval and come after `after`, in the order of their
    /// acceptance.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn awaiting(
        &self,
        wallet: &str,
        after: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        self.in_phase("awaiting", wallet, after, limit).await
    }

    async fn in_phase(
        &self,
        phase: &str,
        wallet: &str,
        after: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let mut tx = self.db().read().await?;
        // The phase stands in the statement, so that its partial index is seen to serve it.
        let sql = format!(
            "{} where p.wallet = $1 and p.phase = '{phase}' and p.id > $2 order by p.id limit $3",
            select()
        );
        let rows = tx
            .fetch(sql, vec![wallet.into(), after.into(), limit.into()])
            .await?;
        let found = payments::assemble(&mut tx, &rows).await?;
        tx.end().await?;
        Ok(found)
    }

    /// Makes one step of an engine durable, all of it or nothing; answers with the deposits that it
    /// booked. Where others are in its way it gives the lease's row back and comes again.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, a payment or the cursor has moved since it was read,
    /// the wallet is paused and the commit signs something new, or the database could not write.
    ///
    /// # Panics
    /// The commit is another wallet's than the tenure.
    pub async fn commit(
        &self,
        tenure: &Tenure,
        commit: &LaneCommit,
    ) -> Result<Booked, CommitError> {
        let wallet = &commit.wallet;
        assert_eq!(
            *wallet, tenure.wallet,
            "an engine writes the wallet that it holds"
        );
        retry::while_contended(|| self.commit_once(tenure, commit)).await
    }

    async fn commit_once(
        &self,
        tenure: &Tenure,
        commit: &LaneCommit,
    ) -> Result<Booked, CommitError> {
        let wallet = &commit.wallet;
        let mut tx = self.begin_held(tenure).await?;
        // Before all else of the wallet's, because a pause locks the wallet's row before it locks the limits'.
        if commit.signs_anew() {
            pauses::refuse_signing(&mut tx, wallet).await?;
        }
        let (booked, came_in) = match &commit.journal {
            Some(journal) => journal::append(&mut tx, wallet, journal, commit.now).await?,
            None => Default::default(),
        };
        let halted = match &commit.halt {
            Some(reason) => {
                halts::write(&mut tx, wallet, Some(reason), &Actor::Daemon, commit.now).await?
            }
            None => None,
        };
        let mut news =
            changes::apply_changes(&mut tx, commit.changes.clone(), Hand::Engine(tenure)).await?;
        limits::forgotten::follow(&mut tx, commit).await?;
        changes::write_chores(&mut tx, tenure, commit).await?;
        ticket_requests::tell(&mut tx, &commit.request_news, commit.now).await?;
        if let Some(known) = &commit.tickets {
            tickets::know(&mut tx, wallet, known).await?;
        }
        behind::refuse_opening(&mut tx, commit).await?;
        if let Some(journal) = &commit.journal {
            behind::refuse_overlooking(&mut tx, wallet, journal).await?;
        }
        news.extend(came_in);
        audit::note(&mut tx, halted.into_iter().collect()).await?;
        events::tell(&mut tx, news).await?;
        tx.commit().await?;
        Ok(booked)
    }
}

/// The columns that tell whose account it is and how far its journal has been read.
pub(super) const CURSOR: &str = "account, cursor_start, cursor_at, cursor_at_hash, next_sequence, \
    balance_drops, owner_count";

/// An account and its cursor from those columns.
pub(super) fn anchored(wallet: &str, row: &Row) -> Result<(AccountId, Cursor), StoreError> {
    let account = row.text("account")?;
    let account = account.parse().map_err(|error| {
        StoreError::corrupt(
            format!("wallet {wallet}"),
            format!("account {account}: {error}"),
        )
    })?;
    let cursor = Cursor {
        start: LedgerIndex(row.uint("cursor_start")?),
        at: LedgerIndex(row.uint("cursor_at")?),
        at_hash: LedgerHash(row.hash("cursor_at_hash")?),
        next_sequence: row.uint("next_sequence")?,
        balance: drops_from("a wallet's balance", row.int("balance_drops")?)?,
        owner_count: row.uint("owner_count")?,
    };
    Ok((account, cursor))
}

fn select() -> String {
    format!("select {} from payments p", payments::COLUMNS)
}

async fn in_flight(
    tx: &mut Tx,
    blobs: &mut HashMap<String, Vec<(TxHash, Vec<u8>)>>,
) -> Result<Vec<InFlight>, StoreError> {
    let ids = blobs.keys().map(|id| vec![id.as_str().into()]).collect();
    let sql = format!(
        "select {} from v join payments p on p.id = v.id",
        payments::COLUMNS
    );
    let rows = tx.fetch_with(payments::IDS, ids, &sql).await?;
    let mut found: Vec<_> = payments::assemble(tx, &rows)
        .await?
        .into_iter()
        .map(|payment| {
            let blobs = blobs.remove(&payment.id.to_string()).unwrap_or_default();
            (payment, blobs)
        })
        .collect();
    if let Some(id) = blobs.keys().next() {
        let why = "it has an open attempt and does not exist";
        return Err(StoreError::corrupt(format!("payment {id}"), why));
    }
    found.sort_by_key(|(payment, _)| payment.id);
    Ok(found)
}

fn plug_record(attempt: Attempt, blob: Vec<u8>) -> PlugRecord {
    PlugRecord {
        plug: NewPlug {
            hash: attempt.hash,
            slot: attempt.slot,
            fee: attempt.fee,
            first_ledger: attempt.first_ledger,
            last_ledger: attempt.last_ledger,
            signed_at: attempt.signed_at,
            blob,
        },
        state: attempt.state,
    }
}

fn making_record(chore: attempts::Chore, making: Making) -> TicketCreateRecord {
    let attempt = chore.attempt;
    TicketCreateRecord {
        signed: NewTicketCreate {
            making,
            attempt: NewAttempt {
                hash: attempt.hash,
                slot: attempt.slot,
                fee: attempt.fee,
                first_ledger: attempt.first_ledger,
                last_ledger: attempt.last_ledger,
                signed_at: attempt.signed_at,
            },
            blob: chore.blob,
        },
        state: attempt.state,
    }
}
