//! Deposits and invoices as a reconciliation reads them. Nothing here changes anything.

use super::Store;
use super::db::Tx;
use super::deposits::{self, Deposit};
use super::error::StoreError;
use super::reconcile::NAMED_MAX;
use std::collections::BTreeMap;
use xrpayd_core::amount::Asset;
use xrpayd_core::deposit::ids_between;
use xrpayd_core::ids::{InvoiceId, LedgerIndex};
use xrpayd_core::reconcile::{BookedDeposit, InvoiceSum};

/// Invoices that are read at a time.
const INVOICES_MAX: u32 = 500;

impl Store {
    /// What was booked as come in to a wallet with the ledgers between two, both included.
    ///
    /// # Errors
    /// The database does not answer, or holds a deposit that cannot be read.
    pub async fn booked_deposits(
        &self,
        wallet: &str,
        from: LedgerIndex,
        to: LedgerIndex,
    ) -> Result<Vec<BookedDeposit>, StoreError> {
        let mut tx = self.db().read().await?;
        let (first, last) = ids_between(from, to);
        let sql = format!(
            "select {} from deposits d where d.id >= $2 and d.id <= $3 and d.wallet = $1 order by d.id",
            deposits::COLUMNS
        );
        let values = vec![
            wallet.into(),
            first.to_string().into(),
            last.to_string().into(),
        ];
        let rows = tx.fetch(sql, values).await?;
        tx.end().await?;
        let found = rows.iter().map(deposits::decode);
        found.map(|deposit| Ok(booked(&deposit?))).collect()
    }

    /// What invoices say that they received, each with the deposits that are its own, by pages: those
    /// after one of them.
    ///
    /// # Errors
    /// The database does not answer, or holds an amount that cannot be read.
    pub async fn invoice_sums(
        &self,
        after: Option<InvoiceId>,
    ) -> Result<Vec<InvoiceSum>, StoreError> {
        // Both in one unmoving picture: a deposit and what it is added to are written together.
        let mut tx = self.db().read().await?;
        let sql = "select i.id, i.asset, i.received from invoices i where i.id > $1 \
                   order by i.id limit $2";
        let after = after.map_or_else(String::new, |id| id.to_string());
        let values = vec![after.clone().into(), INVOICES_MAX.into()];
        let invoices = tx.fetch(sql, values).await?;
        let mut sums = BTreeMap::new();
        for row in &invoices {
            let id: InvoiceId = deposits::parsed(row, "id")?;
            let asset: Asset = deposits::parsed(row, "asset")?;
            let received = row.text("received")?;
            let received = asset.amount(&received).map_err(|error| {
                StoreError::corrupt(format!("invoice {id}"), format!("{received}: {error}"))
            })?;
            let deposits = Vec::new();
            sums.insert(
                id.to_string(),
                InvoiceSum {
                    id,
                    received,
                    deposits,
                },
            );
        }
        if let Some((last, _)) = sums.last_key_value() {
            let sql = format!(
                "select {} from deposits d where d.invoice_id > $1 and d.invoice_id <= $2",
                deposits::COLUMNS
            );
            let rows = tx
                .fetch(sql, vec![after.into(), last.as_str().into()])
                .await?;
            for row in &rows {
                if let Some(sum) = sums.get_mut(&row.text("invoice_id")?) {
                    sum.deposits.push(deposits::decode(row)?.amount);
                }
            }
        }
        tx.end().await?;
        Ok(sums.into_values().collect())
    }
}

/// Some deposits of a wallet that are of no ledger between two.
pub(super) async fn outside(
    tx: &mut Tx,
    wallet: &str,
    from: LedgerIndex,
    to: LedgerIndex,
) -> Result<Vec<BookedDeposit>, StoreError> {
    let (first, last) = ids_between(from, to);
    let sql = format!(
        "select {} from deposits d where d.wallet = $1 and (d.id < $2 or d.id > $3) \
         order by d.id limit $4",
        deposits::COLUMNS
    );
    let values = vec![
        wallet.into(),
        first.to_string().into(),
        last.to_string().into(),
        NAMED_MAX.into(),
    ];
    let rows = tx.fetch(sql, values).await?;
    let found = rows.iter().map(deposits::decode);
    found.map(|deposit| Ok(booked(&deposit?))).collect()
}

const fn booked(deposit: &Deposit) -> BookedDeposit {
    BookedDeposit {
        id: deposit.id,
        hash: deposit.hash,
        ledger_index: deposit.ledger_index,
        destination_tag: deposit.destination_tag,
        amount: deposit.amount,
    }
}
