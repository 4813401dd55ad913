//! What the journal says came in, taken by the invoices that it is for, and the end of those whose time
//! has passed by the ledger's clock. Works inside the transaction that carries the journal on.

use super::{document, rows};
use crate::store::db::Tx;
use crate::store::deposits::{Booking, Deposit, Place};
use crate::store::error::StoreError;
use crate::store::events::News;
use std::collections::{BTreeSet, HashMap};
use xrpayd_core::deposit::Unmatched;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::invoice::{Event, Invoice, decide};

/// How many invoices end with one page of the journal: after a long outage there may be many, and the
/// next ledger brings the next page within seconds.
const ENDED_AT_ONCE_MAX: u32 = 1_000;

/// Lets the invoices of a wallet take the new deposits that are theirs, in the order of the ledger. A
/// deposit that is taken says by whom and one that is refused says why; answers with what is told of
/// the invoices, for each deposit.
pub(in crate::store) async fn take(
    tx: &mut Tx,
    booking: Booking<'_>,
    deposits: &mut [Deposit],
) -> Result<Vec<Vec<News>>, StoreError> {
    let tags: BTreeSet<u32> = deposits.iter().filter_map(tag_of).collect();
    let mut holders = holders(tx, booking.wallet, &tags).await?;
    let before: HashMap<u32, u32> = holders
        .iter()
        .map(|(tag, invoice)| (*tag, invoice.version))
        .collect();
    let mut news = Vec::with_capacity(deposits.len());
    for deposit in deposits {
        let holder = tag_of(deposit).and_then(|tag| holders.get_mut(&tag));
        news.push(match holder {
            Some(invoice) => offer(invoice, booking, deposit)?,
            None => Vec::new(),
        });
    }
    let changed = holders.iter().filter_map(|(tag, invoice)| {
        let before = *before.get(tag)?;
        (invoice.version != before).then_some((before, invoice))
    });
    rows::update(tx, changed.collect()).await?;
    Ok(news)
}

/// The tag by which an invoice may be found: of nothing that is our own, and of nothing of which nobody
/// knows how much it is.
fn tag_of(deposit: &Deposit) -> Option<u32> {
    match deposit.place {
        Place::Unmatched(Unmatched::UnknownTag) => deposit.destination_tag,
        Place::Unmatched(_) | Place::Invoice(_) | Place::Internal => None,
    }
}

/// Offers a deposit to the invoice that has its tag.
fn offer(
    invoice: &mut Invoice,
    booking: Booking<'_>,
    deposit: &mut Deposit,
) -> Result<Vec<News>, StoreError> {
    // What is not known exactly, or when, has another place already.
    let (Some(amount), Some(closed_at)) = (deposit.amount.exact(), deposit.closed_at) else {
        return Ok(Vec::new());
    };
    let event = Event::Credit {
        amount,
        ledger_index: deposit.ledger_index,
        closed_at,
    };
    let steps = match decide(invoice, event, booking.now) {
        Ok(steps) => steps,
        Err(why) => {
            let reason = why.unmatched();
            tracing::warn!(
                invoice.id = %invoice.id,
                deposit.id = %deposit.id,
                reason = reason.as_str(),
                "a deposit to an invoice's tag is not for it: a person has to look"
            );
            deposit.place = Place::Unmatched(reason);
            return Ok(Vec::new());
        }
    };
    let news = document::news(&steps, booking.network_id, Some(deposit.id))?;
    if let Some(last) = steps.into_iter().next_back() {
        *invoice = last.invoice;
    }
    deposit.place = Place::Invoice(invoice.id);
    deposit.client.clone_from(&invoice.client);
    Ok(news)
}

/// Ends the invoices of a wallet whose time had passed when the journal's last ledger closed. It comes
/// after the deposits of those ledgers: what came in time is in time.
pub(in crate::store) async fn expire(
    tx: &mut Tx,
    booking: Booking<'_>,
    closed_at: UnixMs,
) -> Result<Vec<News>, StoreError> {
    let sql = format!(
        "select {} from invoices i where i.wallet = $1 and i.ended_at is null \
         and i.expires_at < $2 order by i.expires_at, i.id limit $3{}",
        rows::COLUMNS,
        tx.for_update()
    );
    let values = vec![
        booking.wallet.into(),
        closed_at.0.into(),
        ENDED_AT_ONCE_MAX.into(),
    ];
    let found = tx.fetch(sql, values).await?;
    let (mut news, mut changed) = (Vec::new(), Vec::new());
    for row in &found {
        let invoice = rows::decode(row)?;
        // The statement asks for no other; what is not over by the machine's word stays.
        let Ok(steps) = decide(&invoice, Event::Expire { closed_at }, booking.now) else {
            continue;
        };
        news.extend(document::news(&steps, booking.network_id, None)?);
        let after = steps.into_iter().next_back().map(|step| step.invoice);
        changed.extend(after.map(|after| (invoice.version, after)));
    }
    let changed = changed.iter().map(|(before, after)| (*before, after));
    rows::update(tx, changed.collect()).await?;
    Ok(news)
}

/// The invoices that hold these tags of a wallet, kept as they are until the transaction ends.
async fn holders(
    tx: &mut Tx,
    wallet: &str,
    tags: &BTreeSet<u32>,
) -> Result<HashMap<u32, Invoice>, StoreError> {
    if tags.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "select {} from v join invoices i on i.wallet = v.wallet and i.destination_tag = v.tag \
         and i.tag_held = 1 order by i.id{}",
        rows::COLUMNS,
        match tx.for_update() {
            "" => String::new(),
            words => format!("{words} of i"),
        }
    );
    let found = tx
        .fetch_with(rows::TAGS, rows::tags(wallet, tags), &sql)
        .await?;
    let mut holders = HashMap::with_capacity(found.len());
    for row in &found {
        let invoice = rows::decode(row)?;
        holders.insert(invoice.destination_tag, invoice);
    }
    Ok(holders)
}
