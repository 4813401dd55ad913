//! What the ledger itself remembers of payments that this database does not know.
//!
//! Rows are written with the page of the journal that shows them, or while the ledgers before the
//! journal's beginning are read; they are only ever added. A payment that is asked for again is found
//! by its marker.

use super::Store;
use super::attempts::{slot_columns, slot_from};
use super::db::{Columns, Kind, Row, Tx, Value};
use super::error::StoreError;
use super::journal::{delivered_columns, delivered_from};
use super::lease::Tenure;
use super::payments::{drops_from, drops_value};
use xrpayd_core::engine::Remembered;
use xrpayd_core::ids::{Hash256, LedgerHash, LedgerIndex, TxHash};

const NEW: Columns = &[
    ("wallet", Kind::Text),
    ("marker", Kind::Blob),
    ("hash", Kind::Blob),
    ("ledger_index", Kind::Int),
    ("ledger_hash", Kind::Blob),
    ("tx_index", Kind::Int),
    ("result", Kind::Text),
    ("slot_kind", Kind::Text),
    ("slot", Kind::Int),
    ("fee_drops", Kind::Int),
    ("destination", Kind::Text),
    ("destination_tag", Kind::Int),
    ("delivered_kind", Kind::Text),
    ("delivered_value", Kind::Text),
    ("servers", Kind::Text),
];

/// Whether a row `r` delivered XRP and none of our attempts is that transaction.
pub(super) const FORGOTTEN: &str = "r.result = 'tesSUCCESS' and r.delivered_kind = 'xrp' \
     and not exists (select 1 from attempts a where a.wallet = r.wallet \
         and a.slot_kind = r.slot_kind and a.slot = r.slot and a.hash = r.hash)";

const MARKERS: Columns = &[("wallet", Kind::Text), ("marker", Kind::Blob)];

/// Adds rows; those that are there stay as they are.
pub(super) async fn insert(
    tx: &mut Tx,
    wallet: &str,
    remembered: &[Remembered],
) -> Result<(), StoreError> {
    if remembered.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(remembered.len());
    for row in remembered {
        rows.push(row_of(wallet, row)?);
    }
    tx.insert("remembered", NEW, rows, "on conflict do nothing")
        .await?;
    Ok(())
}

fn row_of(wallet: &str, row: &Remembered) -> Result<Vec<Value>, StoreError> {
    let (kind, slot) = slot_columns(row.slot);
    let (delivered_kind, delivered_value) = delivered_columns(&row.delivered)?;
    let servers = serde_json::to_string(&row.servers)
        .map_err(|error| StoreError::corrupt("the servers of a transaction", error.to_string()))?;
    Ok(vec![
        wallet.into(),
        row.marker.0.into(),
        row.hash.0.into(),
        row.ledger_index.0.into(),
        row.ledger_hash.0.into(),
        row.tx_index.into(),
        row.result.as_str().into(),
        kind.into(),
        slot.into(),
        drops_value(row.fee).into(),
        row.destination.clone().into(),
        row.destination_tag.into(),
        delivered_kind.into(),
        delivered_value.into(),
        servers.into(),
    ])
}

fn decode(row: &Row) -> Result<Remembered, StoreError> {
    let servers = row.text("servers")?;
    Ok(Remembered {
        wallet: row.text("wallet")?,
        marker: Hash256(row.hash("marker")?),
        hash: TxHash(row.hash("hash")?),
        ledger_index: LedgerIndex(row.uint("ledger_index")?),
        ledger_hash: LedgerHash(row.hash("ledger_hash")?),
        tx_index: row.uint("tx_index")?,
        result: row.text("result")?,
        slot: slot_from(row)?,
        fee: drops_from("fee_drops", row.int("fee_drops")?)?,
        destination: row.text_or_null("destination")?,
        destination_tag: row.uint_or_null("destination_tag")?,
        delivered: delivered_from(row)?,
        servers: serde_json::from_str(&servers)
            .map_err(|error| StoreError::corrupt("servers", error.to_string()))?,
    })
}

/// What the ledger remembers of intents with these markers, each of a wallet, oldest first.
pub(super) async fn marked_so(
    tx: &mut Tx,
    marked: &[(&str, Hash256)],
) -> Result<Vec<Remembered>, StoreError> {
    let names: Vec<String> = NEW.iter().map(|(name, _)| format!("r.{name}")).collect();
    let wanted = marked
        .iter()
        .map(|(wallet, marker)| vec![(*wallet).into(), marker.0.into()])
        .collect();
    let sql = format!(
        "select {} from v join remembered r on r.wallet = v.wallet and r.marker = v.marker \
         order by r.ledger_index, r.tx_index",
        names.join(", ")
    );
    let rows = tx.fetch_with(MARKERS, wanted, &sql).await?;
    rows.iter().map(decode).collect()
}

impl Store {
    /// What the ledger remembers of intents with these markers, each of a wallet, oldest first.
    ///
    /// # Errors
    /// The database does not answer, or holds a row that cannot be read.
    pub async fn recall(&self, marked: &[(&str, Hash256)]) -> Result<Vec<Remembered>, StoreError> {
        let mut tx = self.db().read().await?;
        let rows = marked_so(&mut tx, marked).await?;
        tx.end().await?;
        Ok(rows)
    }

    /// What the ledgers `from ..= to` remember as delivered and no payment of this database accounts for:
    /// it forgot the payment, and nobody has asked for it again. Oldest first.
    ///
    /// # Errors
    /// The database does not answer, or holds a row that cannot be read.
    pub async fn forgotten(
        &self,
        wallet: &str,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<Vec<Remembered>, StoreError> {
        let names: Vec<String> = NEW.iter().map(|(name, _)| format!("r.{name}")).collect();
        let sql = format!(
            "select {} from remembered r where r.wallet = $1 and {FORGOTTEN} \
             and r.ledger_index between $2 and $3 order by r.ledger_index, r.tx_index",
            names.join(", ")
        );
        let mut tx = self.db().read().await?;
        let rows = tx
            .fetch(sql, vec![wallet.into(), from.0.into(), to.0.into()])
            .await?;
        tx.end().await?;
        rows.iter().map(decode).collect()
    }

    /// Keeps what older ledgers remember, and from where they are still to be read; `None` when they
    /// have been.
    ///
    /// # Errors
    /// The wallet is no longer held under `tenure`, or the database could not write.
    pub async fn remember(
        &self,
        tenure: &Tenure,
        remembered: &[Remembered],
        next: Option<LedgerIndex>,
    ) -> Result<(), StoreError> {
        let wallet = tenure.wallet.as_str();
        let mut tx = self.begin_held(tenure).await?;
        insert(&mut tx, wallet, remembered).await?;
        let sql = match next {
            Some(_) => "update wallets set recall_from = $2 where name = $1",
            None => "update wallets set recall_from = $2, recall_to = null where name = $1",
        };
        tx.execute(sql, vec![wallet.into(), next.map(|next| next.0).into()])
            .await?;
        tx.commit().await
    }
}
