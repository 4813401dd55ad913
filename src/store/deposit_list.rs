//! Lists of deposits, newest first, with a cursor: one walk along the index that fits the filter best.

use super::db::{Tx, Value};
use super::deposits::{self, COLUMNS, Deposit};
use super::events::HOUSE;
use super::list::{PAGE_MAX, Page, PageOf, Statement, names_nul};
use super::{Store, StoreError};
use std::cmp::Reverse;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{DepositId, InvoiceId, TxHash, UnixMs};

/// Which deposits a list holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DepositFilter {
    /// Those of one client, and the house's.
    pub client: Option<String>,
    /// Those that belong to an invoice; or those that belong to nothing and wait for a person.
    pub matched: Option<bool>,
    /// Those of one wallet.
    pub wallet: Option<String>,
    /// Those to one invoice.
    pub invoice: Option<InvoiceId>,
    /// Those that one account paid.
    pub from: Option<AccountId>,
    /// Those of one transaction.
    pub tx_hash: Option<TxHash>,
    /// Those to one tag.
    pub destination_tag: Option<u32>,
    /// Those booked at or after this instant.
    pub created_after: Option<UnixMs>,
    /// Those booked before this instant.
    pub created_before: Option<UnixMs>,
}

/// One walk along an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk<'a> {
    /// Those of one transaction: few.
    Hash(TxHash),
    /// Those of one invoice.
    Invoice(InvoiceId),
    /// Those that wait for a person.
    Unmatched,
    /// Those that one account paid.
    From(AccountId),
    /// A client's.
    Client(&'a str),
    /// Everybody's.
    All,
}

/// The walks whose merge is the list.
fn walks(filter: &DepositFilter) -> Vec<Walk<'_>> {
    if let Some(hash) = filter.tx_hash {
        return vec![Walk::Hash(hash)];
    }
    if let Some(invoice) = filter.invoice {
        return vec![Walk::Invoice(invoice)];
    }
    if let Some(from) = filter.from {
        return vec![Walk::From(from)];
    }
    if filter.matched == Some(false) {
        return vec![Walk::Unmatched];
    }
    match &filter.client {
        Some(client) => vec![Walk::Client(client), Walk::Client(HOUSE)],
        None => vec![Walk::All],
    }
}

/// The statement of one walk. What does not choose the index only sieves, phrased so that no planner
/// takes another index for it.
fn statement(
    walk: Walk<'_>,
    filter: &DepositFilter,
    after: Option<(UnixMs, DepositId)>,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut s = Statement::default();
    match walk {
        Walk::Hash(hash) => s.equal("d.hash", hash.0),
        Walk::Invoice(invoice) => s.equal("d.invoice_id", invoice.to_string()),
        Walk::Unmatched => s.require("d.unmatched_reason is not null"),
        Walk::From(from) => s.equal("d.sender", from.to_string()),
        Walk::Client(client) => s.equal("d.client", client),
        Walk::All => {}
    }
    if let Some(client) = filter.client.as_deref()
        && !matches!(walk, Walk::Client(_))
    {
        let (own, house) = (s.bind(client), s.bind(HOUSE));
        s.require(format!("d.client || '' in ({own}, {house})"));
    }
    match (filter.matched, walk) {
        (Some(true), _) => s.require("d.invoice_id || '' <> ''"),
        (Some(false), Walk::Unmatched) | (None, _) => {}
        (Some(false), _) => s.require("d.unmatched_reason || '' <> ''"),
    }
    if let Some(wallet) = filter.wallet.as_deref() {
        s.sieve("d.wallet", wallet);
    }
    if let Some(from) = filter.from.filter(|_| !matches!(walk, Walk::From(_))) {
        s.sieve("d.sender", from.to_string());
    }
    if let Some(invoice) = filter.invoice.filter(|_| !matches!(walk, Walk::Invoice(_))) {
        s.sieve("d.invoice_id", invoice.to_string());
    }
    if let Some(tag) = filter.destination_tag {
        s.equal("d.destination_tag", tag);
    }
    if let Some(from) = filter.created_after {
        let place = s.bind(from.0);
        s.require(format!("d.created_at >= {place}"));
    }
    if let Some(before) = filter.created_before {
        let place = s.bind(before.0);
        s.require(format!("d.created_at < {place}"));
    }
    if let Some((at, id)) = after {
        let (at, id) = (s.bind(at.0), s.bind(id.to_string()));
        s.require(format!("(d.created_at, d.id) < ({at}, {id})"));
    }
    let limit = s.bind(limit);
    s.select(
        &format!("{COLUMNS} from deposits d"),
        &format!("order by d.created_at desc, d.id desc limit {limit}"),
    )
}

impl Store {
    /// A page of the deposits that `filter` lets through, newest first: by when they were booked, and of
    /// those booked at once by their place in the ledger. A cursor that names no deposit gives an empty
    /// page.
    ///
    /// # Errors
    /// The database does not answer, or holds a deposit that cannot be read.
    pub async fn deposits(
        &self,
        filter: &DepositFilter,
        page: &Page<DepositId>,
    ) -> Result<PageOf<Deposit, DepositId>, StoreError> {
        if names_nul([&filter.client, &filter.wallet]) {
            return Ok(PageOf::empty());
        }
        self.db().list(|tx| read(tx, filter, page)).await
    }
}

async fn read(
    mut tx: Tx,
    filter: &DepositFilter,
    page: &Page<DepositId>,
) -> Result<PageOf<Deposit, DepositId>, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let after = match page.cursor {
        None => None,
        Some(id) => {
            let sql = "select created_at from deposits where id = $1";
            let Some(row) = tx.fetch_optional(sql, vec![id.to_string().into()]).await? else {
                tx.end().await?;
                return Ok(PageOf::empty());
            };
            Some((UnixMs(row.int("created_at")?), id))
        }
    };
    let mut found = Vec::new();
    for walk in walks(filter) {
        // One more than the page holds tells whether another page follows.
        let (sql, values) = statement(walk, filter, after, limit.saturating_add(1));
        for row in tx.fetch(sql, values).await? {
            found.push(deposits::decode(&row)?);
        }
    }
    tx.end().await?;
    found.sort_by_key(|deposit| Reverse((deposit.created_at, deposit.id)));
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|deposit| deposit.id);
    Ok(PageOf { items: found, next })
}
