//! The journal as rows: every validated transaction of a wallet's account, without a gap.
//!
//! A stretch is appended only where it begins right after the cursor, in the transaction that also
//! writes what it settles.

use super::Store;
use super::attempts::{slot_columns, slot_from};
use super::db::{Columns, Kind, Row, Tx, Value};
use super::deposits::{self, Booked, Booking};
use super::error::{CommitError, StoreError};
use super::events::News;
use super::payments::{drops_from, drops_value};
use super::{invoices, remembered, tickets};
use xrpayd_core::address::AccountId;
use xrpayd_core::engine::JournalCommit;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash, UnixMs};
use xrpayd_core::journal::{Delivered, Entry, RootAfter};

const NEW: Columns = &[
    ("wallet", Kind::Text),
    ("ledger_index", Kind::Int),
    ("tx_index", Kind::Int),
    ("hash", Kind::Blob),
    ("ledger_hash", Kind::Blob),
    ("result", Kind::Text),
    ("transaction_type", Kind::Text),
    ("sender", Kind::Text),
    ("slot_kind", Kind::Text),
    ("slot", Kind::Int),
    ("fee_drops", Kind::Int),
    ("destination", Kind::Text),
    ("destination_tag", Kind::Int),
    ("source_tag", Kind::Int),
    ("delivered_kind", Kind::Text),
    ("delivered_value", Kind::Text),
    ("invoice_id", Kind::Blob),
    ("root_balance", Kind::Int),
    ("root_sequence", Kind::Int),
    ("root_owner_count", Kind::Int),
    ("change_drops", Kind::Int),
    ("effects", Kind::Text),
    ("closed_at", Kind::Int),
];

/// Moves the cursor on, writes the entries, books what came in and ends the invoices whose time has passed; answers with what was booked, and
/// what is to be told of it.
pub(super) async fn append(
    tx: &mut Tx,
    wallet: &str,
    commit: &JournalCommit,
    now: UnixMs,
) -> Result<(Booked, Vec<News>), CommitError> {
    let cursor = &commit.cursor;
    // Nobody moves the cursor between this and the update, or the update finds no row.
    let before = tx
        .fetch_optional(
            "select account, network_id, balance_drops from wallets where name = $1",
            vec![wallet.into()],
        )
        .await?;
    let Some(before) = before else {
        return Err(CommitError::CursorMoved);
    };
    let written = tx
        .execute(
            "update wallets set cursor_at = $2, cursor_at_hash = $3, next_sequence = $4, \
             balance_drops = $5, owner_count = $6 \
             where name = $1 and cursor_at = $7 and cursor_start = $8 and cursor_at < $2",
            vec![
                wallet.into(),
                cursor.at.0.into(),
                cursor.at_hash.0.into(),
                cursor.next_sequence.into(),
                drops_value(cursor.balance).into(),
                cursor.owner_count.into(),
                (i64::from(commit.from.0) - 1).into(),
                cursor.start.0.into(),
            ],
        )
        .await?;
    if written != 1 {
        return Err(CommitError::CursorMoved);
    }
    if let Some(sign_from) = commit.sign_from {
        tx.execute(
            "update wallets set sign_from = $2 where name = $1",
            vec![wallet.into(), sign_from.0.into()],
        )
        .await?;
    }
    remembered::insert(tx, wallet, &commit.remembered).await?;
    tickets::follow(tx, wallet, &commit.tickets).await?;
    let mut balance = before.int("balance_drops")?;
    let mut changes = Vec::with_capacity(commit.entries.len());
    for entry in &commit.entries {
        let after = entry.root_after.map(|root| drops_value(root.balance));
        let after = after.unwrap_or(balance);
        // Both are amounts of XRP that exist, so the difference fits.
        changes.push(after.saturating_sub(balance));
        balance = after;
    }
    write(tx, wallet, &commit.entries, &changes).await?;
    let booking = Booking {
        wallet,
        account: account("account", &before.text("account")?)?,
        network_id: before.uint("network_id")?,
        now,
    };
    let (booked, mut news) = deposits::book(tx, booking, &commit.credits).await?;
    if let Some(closed_at) = commit.closed_at {
        news.extend(invoices::expire(tx, booking, closed_at).await?);
    }
    Ok((booked, news))
}

/// Writes entries, each with what it moved the account's balance by.
pub(super) async fn write(
    tx: &mut Tx,
    wallet: &str,
    entries: &[Entry],
    changes: &[i64],
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(entries.len());
    for (entry, change) in entries.iter().zip(changes) {
        let mut row = row_of(wallet, entry)?;
        row.push((*change).into());
        row.push(effects_document(entry)?.into());
        row.push(entry.closed_at.map(|at| at.0).into());
        rows.push(row);
    }
    tx.insert("journal_entries", NEW, rows, "").await?;
    Ok(())
}

fn effects_document(entry: &Entry) -> Result<Option<String>, StoreError> {
    let document = entry.effects.as_ref().map(serde_json::to_string);
    document.transpose().map_err(|error| {
        StoreError::corrupt(format!("journal entry {}", entry.hash), error.to_string())
    })
}

fn account(column: &str, text: &str) -> Result<AccountId, StoreError> {
    text.parse()
        .map_err(|error| StoreError::corrupt(column, format!("{text}: {error}")))
}

/// The two columns of what was delivered.
pub(super) fn delivered_columns(
    delivered: &Delivered,
) -> Result<(&'static str, Option<String>), StoreError> {
    Ok(match delivered {
        Delivered::Nothing => ("nothing", None),
        Delivered::Xrp(drops) => ("xrp", Some(drops.to_string())),
        Delivered::Other(amount) => {
            let document = serde_json::to_string(amount);
            let bad =
                |error: serde_json::Error| StoreError::corrupt("an amount", error.to_string());
            ("other", Some(document.map_err(bad)?))
        }
        Delivered::Unreadable(text) => ("other", Some(text.clone())),
        Delivered::Unavailable => ("unavailable", None),
    })
}

/// What was delivered from its two columns.
pub(super) fn delivered_from(row: &Row) -> Result<Delivered, StoreError> {
    let value = row.text_or_null("delivered_value")?;
    Ok(match (row.text("delivered_kind")?.as_str(), value) {
        ("nothing", None) => Delivered::Nothing,
        ("unavailable", None) => Delivered::Unavailable,
        ("other", Some(text)) => match serde_json::from_str(&text) {
            Ok(amount) => Delivered::Other(amount),
            Err(_) => Delivered::Unreadable(text),
        },
        ("xrp", Some(drops)) => Delivered::Xrp(
            drops
                .parse()
                .map_err(|error| StoreError::corrupt("delivered_value", format!("{error}")))?,
        ),
        (kind, _) => return Err(StoreError::corrupt("delivered_kind", kind)),
    })
}

fn row_of(wallet: &str, entry: &Entry) -> Result<Vec<Value>, StoreError> {
    let (kind, slot) = slot_columns(entry.slot);
    let (delivered_kind, delivered_value) = delivered_columns(&entry.delivered)?;
    let root = entry.root_after;
    Ok(vec![
        wallet.into(),
        entry.ledger_index.0.into(),
        entry.tx_index.into(),
        entry.hash.0.into(),
        entry.ledger_hash.0.into(),
        entry.result.as_str().into(),
        entry.transaction_type.as_str().into(),
        entry.sender.to_string().into(),
        kind.into(),
        slot.into(),
        drops_value(entry.fee).into(),
        entry.destination.map(|account| account.to_string()).into(),
        entry.destination_tag.into(),
        entry.source_tag.into(),
        delivered_kind.into(),
        delivered_value.into(),
        entry.invoice_id.map(|id| id.0).into(),
        root.map(|root| drops_value(root.balance)).into(),
        root.map(|root| root.sequence).into(),
        root.map(|root| root.owner_count).into(),
    ])
}

/// The rows of a wallet between two ledgers, both included, by ledger and place.
pub(super) async fn rows_between(
    tx: &mut Tx,
    wallet: &str,
    from: LedgerIndex,
    to: LedgerIndex,
) -> Result<Vec<Row>, StoreError> {
    let names: Vec<&str> = NEW.iter().map(|(name, _)| *name).collect();
    tx.fetch(
        format!(
            "select {} from journal_entries where wallet = $1 \
             and ledger_index between $2 and $3 order by ledger_index, tx_index",
            names.join(", ")
        ),
        vec![wallet.into(), from.0.into(), to.0.into()],
    )
    .await
}

/// An entry from its row.
pub(super) fn decode(row: &Row) -> Result<Entry, StoreError> {
    let hash = TxHash(row.hash("hash")?);
    decode_hashed(row, hash).map_err(|error| match error {
        StoreError::Corrupt { what, why } => {
            StoreError::corrupt(format!("journal entry {hash}"), format!("{what}: {why}"))
        }
        other => other,
    })
}

fn decode_hashed(row: &Row, hash: TxHash) -> Result<Entry, StoreError> {
    let root = (
        row.int_or_null("root_balance")?,
        row.uint_or_null("root_sequence")?,
        row.uint_or_null("root_owner_count")?,
    );
    let root_after = match root {
        (None, None, None) => None,
        (Some(balance), Some(sequence), Some(owner_count)) => Some(RootAfter {
            balance: drops_from("root_balance", balance)?,
            sequence,
            owner_count,
        }),
        _ => {
            return Err(StoreError::corrupt(
                "the account root",
                "is there in part only",
            ));
        }
    };
    let invoice_id = match row.blob_or_null("invoice_id")? {
        None => None,
        Some(_) => Some(Hash256(row.hash("invoice_id")?)),
    };
    let effects = row
        .text_or_null("effects")?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| StoreError::corrupt("effects", error.to_string()))?;
    Ok(Entry {
        hash,
        ledger_index: LedgerIndex(row.uint("ledger_index")?),
        ledger_hash: LedgerHash(row.hash("ledger_hash")?),
        tx_index: row.uint("tx_index")?,
        result: row.text("result")?,
        transaction_type: row.text("transaction_type")?,
        sender: account("sender", &row.text("sender")?)?,
        slot: slot_from(row)?,
        fee: drops_from("fee_drops", row.int("fee_drops")?)?,
        destination: row
            .text_or_null("destination")?
            .map(|text| account("destination", &text))
            .transpose()?,
        destination_tag: row.uint_or_null("destination_tag")?,
        source_tag: row.uint_or_null("source_tag")?,
        delivered: delivered_from(row)?,
        invoice_id,
        // The journal's rows keep the InvoiceID; what is to be adopted is kept beside them.
        marker: invoice_id,
        root_after,
        effects,
        closed_at: row.int_or_null("closed_at")?.map(UnixMs),
    })
}

impl Store {
    /// The journal of a wallet between two ledgers, both included, by ledger and place.
    ///
    /// # Errors
    /// The database does not answer, or holds an entry that cannot be read.
    pub async fn journal_entries(
        &self,
        wallet: &str,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = rows_between(&mut tx, wallet, from, to).await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }
}
