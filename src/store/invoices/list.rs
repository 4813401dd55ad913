//! Lists of invoices, newest first, with a cursor: a merge of short walks along an index, one a status,
//! or one walk along the index of references.

use super::{by_id, rows};
use crate::store::Store;
use crate::store::db::Value;
use crate::store::error::StoreError;
use crate::store::list::{PAGE_MAX, Page, PageOf};
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
    /// A page of the invoices that `filter` lets through, newest first. A cursor that names no invoice
    /// gives an empty page.
    ///
    /// # Errors
    /// The database does not answer, or holds an invoice that cannot be read.
    pub async fn invoices(
        &self,
        filter: &InvoiceFilter,
        page: &Page<InvoiceId>,
    ) -> Result<PageOf<Invoice, InvoiceId>, StoreError> {
        let limit = page.limit.clamp(1, PAGE_MAX);
        let mut result = PageOf {
            items: Vec::new(),
            next: None,
        };
        let names_nul = |text: &Option<String>| text.as_ref().is_some_and(|t| t.contains('\0'));
        if names_nul(&filter.client) || names_nul(&filter.reference) {
            return Ok(result);
        }
        let mut tx = self.db().read().await?;
        let after = match page.cursor {
            None => None,
            Some(id) => match by_id(&mut tx, id, "").await? {
                Some(invoice) => Some((invoice.created_at, id)),
                None => {
                    tx.end().await?;
                    return Ok(result);
                }
            },
        };
        for walk in walks(filter) {
            // One more than the page holds tells whether another page follows.
            let (sql, values) = statement(filter, walk, after, limit.saturating_add(1));
            for row in tx.fetch(sql, values).await? {
                result.items.push(rows::decode(&row)?);
            }
        }
        tx.end().await?;
        let items = &mut result.items;
        items.sort_by_key(|invoice| Reverse((invoice.created_at, invoice.id)));
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        result.next = items.last().filter(|_| more).map(|invoice| invoice.id);
        Ok(result)
    }
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
    let mut wheres: Vec<String> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let client = filter.client.as_deref();
    match walk {
        Some(status) => {
            wheres.push(format!("i.status = {}", bind(status.as_str().into())));
            if let Some(client) = client {
                wheres.push(format!("i.client = {}", bind(client.into())));
            }
        }
        None => {
            let reference = filter.reference.as_deref();
            wheres.push("i.reference is not null".to_owned());
            wheres.push(format!("i.reference = {}", bind(reference.into())));
            // These only sieve what the walk finds: phrased so that no planner takes another index.
            if let Some(status) = filter.status {
                let status = bind(status.as_str().into());
                wheres.push(format!("i.status || '' = {status}"));
            }
            if let Some(client) = client {
                wheres.push(format!("i.client || '' = {}", bind(client.into())));
            }
        }
    }
    if let Some(from) = filter.created_after {
        wheres.push(format!("i.created_at >= {}", bind(from.0.into())));
    }
    if let Some(before) = filter.created_before {
        wheres.push(format!("i.created_at < {}", bind(before.0.into())));
    }
    if let Some((at, id)) = after {
        let (at, id) = (bind(at.0.into()), bind(id.to_string().into()));
        wheres.push(format!("(i.created_at, i.id) < ({at}, {id})"));
    }
    let limit = bind(limit.into());
    let sql = format!(
        "select {} from invoices i where {} order by i.created_at desc, i.id desc limit {limit}",
        rows::COLUMNS,
        wheres.join(" and "),
    );
    (sql, values)
}
