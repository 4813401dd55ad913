//! Lists of invoices, newest first, with a cursor: a merge of short walks along an index, one a status,
//! or one walk along the index of references.

use super::shown::{ShownInvoice, show};
use super::{by_id, rows};
use crate::store::Store;
use crate::store::db::{Tx, Value};
use crate::store::error::StoreError;
use crate::store::list::{PAGE_MAX, Page, PageOf, Statement, names_nul};
use std::cmp::Reverse;
use xrpayd_core::ids::{InvoiceId, UnixMs};
use xrpayd_core::invoice::{Invoice, InvoiceStatus};

/// Which invoices a list holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvoiceFilter {
    /// Those of one client.
    pub client: Option<String>,
    /// Those in one status.
    pub status: Option<InvoiceStatus>,
    /// Those that bear one reference.
    pub reference: Option<String>,
    /// Those issued at or after this instant.
    pub created_after: Option<UnixMs>,
    /// Those issued before this instant.
    pub created_before: Option<UnixMs>,
}

impl Store {
    /// A page of the invoices that `filter` lets through, newest first, each with what came to it. A cursor that names no invoice
    /// gives an empty page.
    ///
    /// # Errors
    /// The database does not answer, or holds an invoice that cannot be read.
    pub async fn invoices(
        &self,
        filter: &InvoiceFilter,
        page: &Page<InvoiceId>,
    ) -> Result<PageOf<ShownInvoice, InvoiceId>, StoreError> {
        if names_nul([&filter.client, &filter.reference]) {
            return Ok(PageOf::empty());
        }
        self.db().list(|tx| read(tx, filter, page)).await
    }
}

async fn read(
    mut tx: Tx,
    filter: &InvoiceFilter,
    page: &Page<InvoiceId>,
) -> Result<PageOf<ShownInvoice, InvoiceId>, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let after = match page.cursor {
        None => None,
        Some(id) => match by_id(&mut tx, id, "").await? {
            Some(invoice) => Some((invoice.created_at, id)),
            None => {
                tx.end().await?;
                return Ok(PageOf::empty());
            }
        },
    };
    let mut found: Vec<Invoice> = Vec::new();
    for walk in walks(filter) {
        // One more than the page holds tells whether another page follows.
        let (sql, values) = statement(filter, walk, after, limit.saturating_add(1));
        for row in tx.fetch(sql, values).await? {
            found.push(rows::decode(&row)?);
        }
    }
    found.sort_by_key(|invoice| Reverse((invoice.created_at, invoice.id)));
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|invoice| invoice.id);
    let mut items = Vec::with_capacity(found.len());
    for invoice in found {
        items.push(show(&mut tx, invoice).await?);
    }
    tx.end().await?;
    Ok(PageOf { items, next })
}

/// The walks whose merge is the list: along one reference whatever the status, or along each status.
fn walks(filter: &InvoiceFilter) -> Vec<Option<InvoiceStatus>> {
    match filter.status {
        _ if filter.reference.is_some() => vec![None],
        Some(status) => vec![Some(status)],
        None => InvoiceStatus::ALL.map(Some).to_vec(),
    }
}

fn statement(
    filter: &InvoiceFilter,
    walk: Option<InvoiceStatus>,
    after: Option<(UnixMs, InvoiceId)>,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut s = Statement::default();
    let client = filter.client.as_deref();
    match walk {
        Some(status) => {
            s.equal("i.status", status.as_str());
            if let Some(client) = client {
                s.equal("i.client", client);
            }
        }
        None => {
            s.require("i.reference is not null");
            s.equal("i.reference", filter.reference.as_deref());
            if let Some(status) = filter.status {
                s.sieve("i.status", status.as_str());
            }
            if let Some(client) = client {
                s.sieve("i.client", client);
            }
        }
    }
    if let Some(from) = filter.created_after {
        let place = s.bind(from.0);
        s.require(format!("i.created_at >= {place}"));
    }
    if let Some(before) = filter.created_before {
        let place = s.bind(before.0);
        s.require(format!("i.created_at < {place}"));
    }
    if let Some((at, id)) = after {
        let (at, id) = (s.bind(at.0), s.bind(id.to_string()));
        s.require(format!("(i.created_at, i.id) < ({at}, {id})"));
    }
    let limit = s.bind(limit);
    s.select(
        &format!("{} from invoices i", rows::COLUMNS),
        &format!("order by i.created_at desc, i.id desc limit {limit}"),
    )
}
