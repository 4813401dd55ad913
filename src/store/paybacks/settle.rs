//! The end of payments that gave something back, written in the transaction of that end.

use super::rows::PaybackState;
use crate::store::db::Tx;
use crate::store::deposit_news;
use crate::store::deposits;
use crate::store::error::StoreError;
use crate::store::events::News;
use crate::store::invoices;
use crate::store::payments::drops_value;
use xrpayd_core::ids::{DepositId, InvoiceId};
use xrpayd_core::payment::{Payback, Payment, State};

/// Settles what the payments that ended gave back, or did not; answers with what is told of it.
pub(in crate::store) async fn settle(
    tx: &mut Tx,
    ended: &[&Payment],
) -> Result<Vec<News>, StoreError> {
    let mut news = Vec::new();
    for payment in ended {
        let Some(payback) = payment.order.payback else {
            continue;
        };
        let (state, delivered) = match &payment.state {
            State::Succeeded { delivered, .. } => (PaybackState::Succeeded, Some(*delivered)),
            State::AwaitingApproval
            | State::Queued { .. }
            | State::InFlight
            | State::Failed { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Rejected => (PaybackState::Failed, None),
        };
        let written = tx
            .execute(
                "update paybacks set state = $2, settled_at = $3, drops = coalesce($4, drops) \
                 where payment_id = $1 and state = 'pending'",
                vec![
                    payment.id.to_string().into(),
                    state.as_str().into(),
                    payment.updated_at.0.into(),
                    delivered.map(drops_value).into(),
                ],
            )
            .await?;
        if written != 1 {
            let what = format!("payment {}", payment.id);
            let why = "it gives something back and no claim of it is open";
            return Err(StoreError::corrupt(what, why));
        }
        match payback {
            Payback::Return { deposit, .. } => {
                news.extend(of_deposit(tx, deposit, state, payment).await?);
            }
            Payback::Refund { invoice, .. } => {
                news.extend(of_invoice(tx, invoice, state, payment).await?);
            }
        }
    }
    Ok(news)
}

async fn of_deposit(
    tx: &mut Tx,
    id: DepositId,
    state: PaybackState,
    payment: &Payment,
) -> Result<Option<News>, StoreError> {
    let lock = tx.for_update();
    let found = deposits::by_id(tx, id, lock).await?;
    let missing = |why: &str| StoreError::corrupt(format!("deposit {id}"), why);
    let mut deposit = found.ok_or_else(|| missing("it is returned and missing"))?;
    let Some(returned) = &mut deposit.returned else {
        return Err(missing("its return ended and it has none"));
    };
    if returned.payment != payment.id {
        return Err(missing("a return of it ended and another is its newest"));
    }
    returned.state = state;
    if let State::Succeeded { delivered, .. } = &payment.state {
        returned.drops = *delivered;
    }
    let before = deposit.version;
    deposit.version = before.saturating_add(1);
    deposits::update(tx, before, &deposit).await?;
    if state != PaybackState::Succeeded {
        return Ok(None);
    }
    deposit_news::news_at(&deposit, "deposit.returned", payment.updated_at).map(Some)
}

async fn of_invoice(
    tx: &mut Tx,
    id: InvoiceId,
    state: PaybackState,
    payment: &Payment,
) -> Result<Option<News>, StoreError> {
    invoices::touch(tx, id, payment.updated_at).await?;
    if state != PaybackState::Succeeded {
        return Ok(None);
    }
    invoices::refunded(tx, id, payment).await.map(Some)
}
