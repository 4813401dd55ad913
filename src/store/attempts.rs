//! Attempts as rows: what was signed, and its blob.
//!
//! An attempt is inserted once, with its blob, before anything of it leaves the process; after that
//! only its state changes.

use super::db::{Columns, Kind, Row, Tx, Value};
use super::error::StoreError;
use super::lease::Tenure;
use super::payments::{self, drops_from, drops_value};
use std::collections::HashMap;
use xrpayd_core::engine::{Making, TicketRequestId};
use xrpayd_core::ids::{LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::payment::{Attempt, AttemptState, Payment, Slot};

const COLUMNS: &str = "a.payment_id, a.n, a.slot_kind, a.slot, a.hash, a.fee_drops, \
    a.first_ledger, a.last_ledger, a.signed_at, a.open, a.state_doc";

const NEW: Columns = &[
    ("wallet", Kind::Text),
    ("slot_kind", Kind::Text),
    ("slot", Kind::Int),
    ("hash", Kind::Blob),
    ("payment_id", Kind::Text),
    ("n", Kind::Int),
    ("blob", Kind::Blob),
    ("fee_drops", Kind::Int),
    ("first_ledger", Kind::Int),
    ("last_ledger", Kind::Int),
    ("signed_at", Kind::Int),
    ("open", Kind::Int),
    ("state_doc", Kind::Text),
    ("makes_tickets", Kind::Int),
    ("ticket_request", Kind::Int),
    ("epoch", Kind::Int),
];

const STATE: Columns = &[
    ("wallet", Kind::Text),
    ("slot_kind", Kind::Text),
    ("slot", Kind::Int),
    ("hash", Kind::Blob),
    ("open", Kind::Int),
    ("state_doc", Kind::Text),
];

const UPDATE: &str = "update attempts set open = v.open, state_doc = v.state_doc from v \
    where attempts.wallet = v.wallet and attempts.slot_kind = v.slot_kind \
    and attempts.slot = v.slot and attempts.hash = v.hash";

/// The two columns of a slot.
pub(super) const fn slot_columns(slot: Slot) -> (&'static str, u32) {
    match slot {
        Slot::Sequence(sequence) => ("sequence", sequence),
        Slot::Ticket(ticket) => ("ticket", ticket),
    }
}

/// A slot from its two columns.
pub(super) fn slot_from(row: &Row) -> Result<Slot, StoreError> {
    let number = row.uint("slot")?;
    match row.text("slot_kind")?.as_str() {
        "sequence" => Ok(Slot::Sequence(number)),
        "ticket" => Ok(Slot::Ticket(number)),
        other => Err(StoreError::corrupt(
            "a slot",
            format!("{other} is no kind of slot"),
        )),
    }
}

/// An attempt whose blob is written with it.
pub(super) struct NewRow<'a> {
    pub wallet: &'a str,
    /// The payment, and the attempt's number in it; none for a plug.
    pub owner: Option<(PaymentId, usize)>,
    pub attempt: &'a Attempt,
    pub blob: Vec<u8>,
    /// What it makes, where it makes tickets.
    pub making: Option<Making>,
}

/// Writes attempts that were not there before, as signed under `tenure`.
pub(super) async fn insert(
    tx: &mut Tx,
    tenure: &Tenure,
    new: Vec<NewRow<'_>>,
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(new.len());
    for NewRow {
        wallet,
        owner,
        attempt,
        blob,
        making,
    } in new
    {
        let (kind, slot) = slot_columns(attempt.slot);
        let n = owner.map_or(0, |(_, n)| n);
        rows.push(vec![
            wallet.into(),
            kind.into(),
            slot.into(),
            attempt.hash.0.into(),
            owner.map(|(payment, _)| payment.to_string()).into(),
            i64::try_from(n).unwrap_or(i64::MAX).into(),
            blob.into(),
            drops_value(attempt.fee).into(),
            attempt.first_ledger.0.into(),
            attempt.last_ledger.0.into(),
            attempt.signed_at.0.into(),
            attempt.state.is_open().into(),
            state_document(attempt)?.into(),
            making.map(|making| making.count).into(),
            making
                .and_then(|making| making.request)
                .map(|request| request.0)
                .into(),
            tenure.epoch_value(),
        ]);
    }
    tx.insert("attempts", NEW, rows, "").await?;
    Ok(())
}

/// The state of an attempt as rows of [`update`].
pub(super) fn state_row(wallet: &str, attempt: &Attempt) -> Result<Vec<Value>, StoreError> {
    let (kind, slot) = slot_columns(attempt.slot);
    Ok(vec![
        wallet.into(),
        kind.into(),
        slot.into(),
        attempt.hash.0.into(),
        attempt.state.is_open().into(),
        state_document(attempt)?.into(),
    ])
}

/// Writes the states of attempts that are there; every one of them has to be.
pub(super) async fn update(tx: &mut Tx, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let expected = rows.len();
    let written = tx.execute_with(STATE, rows, UPDATE).await?;
    if usize::try_from(written) == Ok(expected) {
        return Ok(());
    }
    let why = format!("{written} of {expected} that are to be changed are there");
    Err(StoreError::corrupt("attempts", why))
}

fn state_document(attempt: &Attempt) -> Result<String, StoreError> {
    serde_json::to_string(&attempt.state).map_err(|error| {
        StoreError::corrupt(format!("attempt {}", attempt.hash), error.to_string())
    })
}

/// The attempts of these payments, in the order in which they were signed.
pub(super) async fn of_payments(
    tx: &mut Tx,
    ids: &[String],
) -> Result<HashMap<String, Vec<Attempt>>, StoreError> {
    let rows = if let [id] = ids {
        let sql = format!("select {COLUMNS} from attempts a where a.payment_id = $1 order by a.n");
        tx.fetch(sql, vec![id.as_str().into()]).await?
    } else {
        let ids = ids.iter().map(|id| vec![id.as_str().into()]).collect();
        let sql = format!(
            "select {COLUMNS} from v join attempts a on a.payment_id = v.id \
             order by a.payment_id, a.n"
        );
        tx.fetch_with(payments::IDS, ids, &sql).await?
    };
    let mut found: HashMap<String, Vec<Attempt>> = HashMap::new();
    for row in &rows {
        let payment = row.text("payment_id")?;
        let attempt = decode(row)?;
        let attempts = found.entry(payment.clone()).or_default();
        if usize::try_from(row.int("n")?) != Ok(attempts.len()) {
            let what = format!("payment {payment}");
            return Err(StoreError::corrupt(what, "one of its attempts is missing"));
        }
        attempts.push(attempt);
    }
    Ok(found)
}

/// An attempt without a payment: a plug, or one that makes tickets.
pub(super) struct Chore {
    pub attempt: Attempt,
    pub blob: Vec<u8>,
    pub making: Option<Making>,
}

/// The open attempts of a wallet that are no payment's, with their blobs, by slot.
pub(super) async fn open_chores(tx: &mut Tx, wallet: &str) -> Result<Vec<Chore>, StoreError> {
    let sql = format!(
        "select {COLUMNS}, a.blob, a.makes_tickets, a.ticket_request from attempts a \
         where a.wallet = $1 and a.open = 1 and a.payment_id is null \
         order by a.slot_kind, a.slot, a.hash"
    );
    let rows = tx.fetch(sql, vec![wallet.into()]).await?;
    rows.iter()
        .map(|row| {
            let count = row.uint_or_null("makes_tickets")?;
            let request = row.uint_or_null("ticket_request")?.map(TicketRequestId);
            Ok(Chore {
                attempt: decode(row)?,
                blob: row.blob("blob")?,
                making: count.map(|count| Making { count, request }),
            })
        })
        .collect()
}

/// The open attempts of a wallet's payments with their blobs, by payment.
pub(super) async fn open_blobs(
    tx: &mut Tx,
    wallet: &str,
) -> Result<HashMap<String, Vec<(TxHash, Vec<u8>)>>, StoreError> {
    let rows = tx
        .fetch(
            "select a.payment_id, a.hash, a.blob from attempts a \
             where a.wallet = $1 and a.open = 1 and a.payment_id is not null \
             order by a.slot_kind, a.slot, a.n",
            vec![wallet.into()],
        )
        .await?;
    let mut found: HashMap<String, Vec<(TxHash, Vec<u8>)>> = HashMap::new();
    for row in &rows {
        let blobs = found.entry(row.text("payment_id")?).or_default();
        blobs.push((TxHash(row.hash("hash")?), row.blob("blob")?));
    }
    Ok(found)
}

/// The open attempts that are no payment's, by hash.
pub(super) async fn chores_by_hash(
    tx: &mut Tx,
    wallet: &str,
) -> Result<HashMap<TxHash, Attempt>, StoreError> {
    let chores = open_chores(tx, wallet).await?.into_iter();
    let by_hash = chores.map(|chore| (chore.attempt.hash, chore.attempt));
    Ok(by_hash.collect())
}

/// A statement that reads attempts, in the order in which they were signed for a slot.
pub(super) fn select(wanted: &str) -> String {
    format!("select {COLUMNS} from attempts a where {wanted} order by a.slot_kind, a.slot, a.n")
}

/// An attempt from its row.
pub(super) fn decode(row: &Row) -> Result<Attempt, StoreError> {
    let hash = TxHash(row.hash("hash")?);
    let named = |error: StoreError| match error {
        StoreError::Corrupt { what, why } => {
            let owner = row.text_or_null("payment_id").ok().flatten();
            let owner = owner.map_or_else(|| "a plug".to_owned(), |id| format!("payment {id}"));
            StoreError::corrupt(format!("{owner}, attempt {hash}"), format!("{what}: {why}"))
        }
        other => other,
    };
    decode_hashed(row, hash).map_err(named)
}

fn decode_hashed(row: &Row, hash: TxHash) -> Result<Attempt, StoreError> {
    let state: AttemptState = serde_json::from_str(&row.text("state_doc")?)
        .map_err(|error| StoreError::corrupt("state_doc", error.to_string()))?;
    if row.int("open")? != i64::from(state.is_open()) {
        return Err(StoreError::corrupt("open", "contradicts its document"));
    }
    Ok(Attempt {
        hash,
        slot: slot_from(row)?,
        fee: drops_from("fee_drops", row.int("fee_drops")?)?,
        first_ledger: LedgerIndex(row.uint("first_ledger")?),
        last_ledger: LedgerIndex(row.uint("last_ledger")?),
        state,
        signed_at: UnixMs(row.int("signed_at")?),
    })
}

/// The attempts of `payment` that a commit writes for the first time, and the states of the others.
pub(super) fn split<'a>(
    payment: &'a Payment,
    mut new_blobs: Vec<(TxHash, Vec<u8>)>,
) -> Result<(Vec<NewRow<'a>>, Vec<Vec<Value>>), StoreError> {
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for (n, attempt) in payment.attempts.iter().enumerate() {
        match new_blobs.iter().position(|(hash, _)| *hash == attempt.hash) {
            Some(at) => new.push(NewRow {
                wallet: &payment.wallet,
                owner: Some((payment.id, n)),
                attempt,
                blob: new_blobs.swap_remove(at).1,
                making: None,
            }),
            None => known.push(state_row(&payment.wallet, attempt)?),
        }
    }
    if new_blobs.is_empty() {
        Ok((new, known))
    } else {
        let why = "a blob was given for an attempt that it does not have";
        Err(StoreError::BadChange {
            payment: payment.id,
            why,
        })
    }
}
