//! Lists of payments, newest first, with a cursor.
//!
//! Each list is a merge of short walks along an index, one walk a status. A payment is found by a
//! name of the caller's choosing (its destination, its reference) through an index while it waits for an
//! approval and once it has its end; those on their way are few, and are looked through.

use super::db::{Tx, Value};
use super::error::StoreError;
use super::events::HOUSE;
use super::{Store, payments};
use std::cmp::Reverse;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{PaymentId, UnixMs};
use xrpayd_core::payment::{Payment, Status};

/// The most items that one page holds.
pub const PAGE_MAX: u32 = 200;

/// Which payments a list holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentFilter {
    /// The house's as well, where a client is named.
    pub house: bool,
    /// Those of one client.
    pub client: Option<String>,
    /// Those in one status.
    pub status: Option<Status>,
    /// Those that bear one reference.
    pub reference: Option<String>,
    /// Those to one account.
    pub destination: Option<AccountId>,
    /// Those accepted at or after this instant.
    pub created_after: Option<UnixMs>,
    /// Those accepted before this instant.
    pub created_before: Option<UnixMs>,
}

/// A page of a list, of payments where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<I = PaymentId> {
    /// The last item of the page before; none for the first page.
    pub cursor: Option<I>,
    /// How many at most; held between 1 and 200.
    pub limit: u32,
}

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOf<T, I = PaymentId> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; none where this is the last one.
    pub next: Option<I>,
}

impl<T, I> PageOf<T, I> {
    /// A page of nothing.
    pub(super) const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }
}

/// Whether one of the texts that a list is asked for holds what no text of ours does, and PostgreSQL refuses
/// to compare with: there is nothing to be found.
pub(super) fn names_nul(texts: [&Option<String>; 2]) -> bool {
    let mut named = texts.into_iter().flatten();
    named.any(|text| text.contains('\0'))
}

/// One walk along an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// The payments on their way: few, and in an index of their own.
    Processing,
    /// A client's payments in one status.
    OfClient(Status),
    /// Those that ended or wait for an approval, to one destination.
    ToDestination,
    /// The same, under one reference.
    UnderReference,
    /// Everybody's in one status without delivery.
    NotDelivered(Status),
    /// Everybody's that ended or wait for an approval.
    Ended,
}

/// The walks whose merge is the list.
fn walks(filter: &PaymentFilter) -> Vec<Walk> {
    let ended = match filter.status {
        Some(Status::Processing) => return vec![Walk::Processing],
        _ if filter.reference.is_some() => vec![Walk::UnderReference],
        _ if filter.destination.is_some() => vec![Walk::ToDestination],
        Some(status) if filter.client.is_some() => vec![Walk::OfClient(status)],
        Some(
            status @ (Status::AwaitingApproval
            | Status::Failed
            | Status::Expired
            | Status::Cancelled
            | Status::Rejected),
        ) => vec![Walk::NotDelivered(status)],
        Some(Status::Succeeded) => vec![Walk::Ended],
        None if filter.client.is_some() => {
            let others = Status::ALL
                .into_iter()
                .filter(|status| *status != Status::Processing);
            others.map(Walk::OfClient).collect()
        }
        None => vec![Walk::Ended],
    };
    match filter.status {
        Some(_) => ended,
        None => std::iter::once(Walk::Processing).chain(ended).collect(),
    }
}

/// The conditions of a statement, and their values, under construction.
#[derive(Debug, Default)]
pub(super) struct Statement {
    wheres: Vec<String>,
    values: Vec<Value>,
}

impl Statement {
    /// Takes a value; answers with its place.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Any condition.
    pub(super) fn require(&mut self, condition: impl Into<String>) {
        self.wheres.push(condition.into());
    }

    /// An equality that chooses the index.
    pub(super) fn equal(&mut self, column: &str, value: impl Into<Value>) {
        let place = self.bind(value);
        self.wheres.push(format!("{column} = {place}"));
    }

    /// An equality that only sieves what the walk finds: phrased so that no planner takes another
    /// index for it.
    pub(super) fn sieve(&mut self, column: &str, value: impl Into<Value>) {
        let place = self.bind(value);
        self.wheres.push(format!("{column} || '' = {place}"));
    }

    /// The statement: `what` is selected where all conditions hold, in `order`.
    pub(super) fn select(self, what: &str, order: &str) -> (String, Vec<Value>) {
        let wheres = if self.wheres.is_empty() {
            String::new()
        } else {
            format!("where {}", self.wheres.join(" and "))
        };
        (format!("select {what} {wheres} {order}"), self.values)
    }
}

/// The statement of one walk.
fn statement(
    walk: Walk,
    filter: &PaymentFilter,
    after: Option<(UnixMs, PaymentId)>,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut s = Statement::default();
    let (client, status) = (filter.client.as_deref(), filter.status.map(Status::as_str));
    let destination = filter.destination.map(|account| account.to_string());
    let reference = filter.reference.as_deref();
    let mut sieves = vec![
        ("p.client", client),
        ("p.status", status),
        ("p.destination", destination.as_deref()),
        ("p.reference", reference),
    ];
    let mut walked = |s: &mut Statement, column: &'static str, value: &str| {
        s.equal(column, value);
        sieves.retain(|(sieved, _)| *sieved != column);
    };
    match walk {
        Walk::Processing => match client {
            Some(client) => {
                walked(&mut s, "p.client", client);
                walked(&mut s, "p.status", Status::Processing.as_str());
            }
            None => {
                s.wheres.push("p.status = 'processing'".to_owned());
                sieves.retain(|(sieved, _)| *sieved != "p.status");
            }
        },
        Walk::OfClient(status) => {
            walked(&mut s, "p.client", client.unwrap_or_default());
            walked(&mut s, "p.status", status.as_str());
        }
        Walk::ToDestination => {
            s.wheres.push("p.status <> 'processing'".to_owned());
            walked(
                &mut s,
                "p.destination",
                destination.as_deref().unwrap_or_default(),
            );
        }
        Walk::UnderReference => {
            s.wheres
                .push("p.status <> 'processing' and p.reference is not null".to_owned());
            walked(&mut s, "p.reference", reference.unwrap_or_default());
        }
        Walk::NotDelivered(status) => {
            s.wheres.push(
                "p.status in ('failed', 'expired', 'cancelled', 'rejected', 'awaiting_approval')"
                    .to_owned(),
            );
            walked(&mut s, "p.status", status.as_str());
        }
        Walk::Ended => s.wheres.push("p.status || '' <> 'processing'".to_owned()),
    }
    for (column, value) in sieves {
        if let Some(value) = value {
            s.sieve(column, value);
        }
    }
    // Walking by time until enough are found that are on their way would walk through all others.
    let time = match (walk, client) {
        (Walk::Processing, None) => "p.created_at + 0",
        _ => "p.created_at",
    };
    if let Some(from) = filter.created_after {
        let place = s.bind(from.0);
        s.wheres.push(format!("{time} >= {place}"));
    }
    if let Some(before) = filter.created_before {
        let place = s.bind(before.0);
        s.wheres.push(format!("{time} < {place}"));
    }
    if let Some((at, id)) = after {
        let (at, id) = (s.bind(at.0), s.bind(id.to_string()));
        s.wheres.push(format!("({time}, p.id) < ({at}, {id})"));
    }
    let limit = s.bind(limit);
    s.select(
        &format!("{} from payments p", payments::COLUMNS),
        &format!("order by {time} desc, p.id desc limit {limit}"),
    )
}

async fn accepted_at(tx: &mut Tx, id: PaymentId) -> Result<Option<UnixMs>, StoreError> {
    let sql = "select created_at from payments where id = $1";
    let row = tx.fetch_optional(sql, vec![id.to_string().into()]).await?;
    row.map(|row| row.int("created_at").map(UnixMs)).transpose()
}

impl Store {
    /// A page of the payments that `filter` lets through, newest first. A cursor that names no
    /// payment gives an empty page.
    ///
    /// # Errors
    /// The database does not answer, or holds a payment that cannot be read.
    pub async fn payments(
        &self,
        filter: &PaymentFilter,
        page: &Page,
    ) -> Result<PageOf<Payment>, StoreError> {
        if names_nul([&filter.client, &filter.reference]) {
            return Ok(PageOf::empty());
        }
        self.db().list(|tx| read(tx, filter, page)).await
    }
}

async fn read(
    mut tx: Tx,
    filter: &PaymentFilter,
    page: &Page,
) -> Result<PageOf<Payment>, StoreError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let after = match page.cursor {
        None => None,
        Some(id) => match accepted_at(&mut tx, id).await? {
            Some(at) => Some((at, id)),
            None => {
                tx.end().await?;
                return Ok(PageOf::empty());
            }
        },
    };
    let mut found = Vec::new();
    let house = PaymentFilter {
        client: Some(HOUSE.to_owned()),
        ..filter.clone()
    };
    let with_house = filter.house && filter.client.is_some();
    let filters = std::iter::once(filter).chain(with_house.then_some(&house));
    let statements = filters.flat_map(|filter| {
        // One more than the page holds tells whether another page follows.
        let more = limit.saturating_add(1);
        let walks = walks(filter).into_iter();
        walks.map(move |walk| statement(walk, filter, after, more))
    });
    for (sql, values) in statements {
        for row in tx.fetch(sql, values).await? {
            found.push((Reverse((row.int("created_at")?, row.text("id")?)), row));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let rows: Vec<_> = found.into_iter().map(|(_, row)| row).collect();
    let items = payments::assemble(&mut tx, &rows).await?;
    tx.end().await?;
    let next = items.last().filter(|_| more).map(|payment| payment.id);
    Ok(PageOf { items, next })
}
