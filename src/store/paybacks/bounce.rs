//! Whether a deposit is itself something that came back: giving that back again would send money to and
//! fro for ever.

use crate::store::Store;
use crate::store::db::Tx;
use crate::store::deposits::Deposit;
use crate::store::error::StoreError;
use crate::store::payments::drops_value;
use crate::store::remembered;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::Hash256;
use xrpayd_core::marker;

/// How many of the newest payments to a deposit's sender are looked through for the one whose marker it
/// bears.
const PAYMENTS_MAX: u32 = 1_000;

/// Why a deposit is taken for something that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounce {
    /// Its sender says so.
    Marked,
    /// It bears the marker of a payment of ours.
    OurMarker,
    /// As much or more was given back to its sender before it came.
    AfterPayback,
}

impl Store {
    /// Why a deposit is taken for something that came back, where it is.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn bounce(&self, deposit: &Deposit) -> Result<Option<Bounce>, StoreError> {
        if deposit.is_return {
            return Ok(Some(Bounce::Marked));
        }
        let Some(from) = deposit.from else {
            return Ok(None);
        };
        let mut tx = self.db().read().await?;
        let found = if bears_our_marker(&mut tx, deposit, from).await? {
            Some(Bounce::OurMarker)
        } else if follows_payback(&mut tx, deposit, from).await? {
            Some(Bounce::AfterPayback)
        } else {
            None
        };
        tx.end().await?;
        Ok(found)
    }
}

async fn bears_our_marker(
    tx: &mut Tx,
    deposit: &Deposit,
    from: AccountId,
) -> Result<bool, StoreError> {
    let row = tx
        .fetch_optional(
            "select invoice_id from journal_entries \
             where wallet = $1 and ledger_index = $2 and tx_index = $3",
            vec![
                deposit.wallet.as_str().into(),
                deposit.ledger_index.0.into(),
                deposit.tx_index.into(),
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    if row.blob_or_null("invoice_id")?.is_none() {
        return Ok(false);
    }
    let borne = Hash256(row.hash("invoice_id")?);
    let forgotten = remembered::marked_so(tx, &[(&deposit.wallet, borne)]).await?;
    if !forgotten.is_empty() {
        return Ok(true);
    }
    let rows = tx
        .fetch(
            "select p.wallet, p.client, p.idempotency_key from payments p \
             where p.destination = $1 and p.status <> 'processing' \
             order by p.created_at desc, p.id desc limit $2",
            vec![from.to_string().into(), PAYMENTS_MAX.into()],
        )
        .await?;
    for row in &rows {
        let (wallet, client) = (row.text("wallet")?, row.text("client")?);
        if marker::of(&wallet, &client, &row.text("idempotency_key")?) == borne {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn follows_payback(
    tx: &mut Tx,
    deposit: &Deposit,
    from: AccountId,
) -> Result<bool, StoreError> {
    let Some(drops) = deposit.amount.exact().and_then(|amount| amount.drops()) else {
        return Ok(false);
    };
    let row = tx
        .fetch_optional(
            "select b.payment_id from paybacks b where b.destination = $1 and b.drops >= $2 \
             and b.state = 'succeeded' and b.created_at < $3 limit 1",
            vec![
                from.to_string().into(),
                drops_value(drops).into(),
                deposit.created_at.0.into(),
            ],
        )
        .await?;
    Ok(row.is_some())
}
