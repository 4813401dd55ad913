//! Query strings: every name is known, no name comes twice, every value is of its kind.

mod audit;

pub use audit::AuditQuery;

use super::problem::Problem;
use crate::rfc3339;
use crate::store::{DepositFilter, InvoiceFilter, Page, PaymentFilter};
use crate::webhooks::kinds;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::{DepositId, InvoiceId, UnixMs};
use xrpayd_core::invoice::InvoiceStatus;
use xrpayd_core::payment::Status;

/// Rows of a page where nothing is said.
const LIMIT_DEFAULT: u32 = 50;
/// The most rows of a page.
const LIMIT_MAX: u32 = 200;
/// What is wrong with a place in a list.
const NO_CURSOR: &str = "is not a cursor that a list gave out";

/// The query of `GET /v1/payments`.
#[derive(Debug)]
pub struct ListQuery {
    /// Which payments.
    pub filter: PaymentFilter,
    /// Which page of them.
    pub page: Page,
}

/// The query of `GET /v1/invoices`.
#[derive(Debug)]
pub struct InvoiceQuery {
    /// Which invoices.
    pub filter: InvoiceFilter,
    /// Which page of them.
    pub page: Page<InvoiceId>,
}

/// The query of `GET /v1/deposits`.
#[derive(Debug)]
pub struct DepositQuery {
    /// Which deposits.
    pub filter: DepositFilter,
    /// Which page of them.
    pub page: Page<DepositId>,
}

/// The query of `GET /v1/limits`.
#[derive(Debug)]
pub struct LimitsQuery {
    /// The client whose limits are asked for; the caller's own where none is named.
    pub client: Option<String>,
    /// The account whose limits are asked for besides.
    pub destination: Option<AccountId>,
}

impl LimitsQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let read = Self {
            client: plain(&mut values, "client")?,
            destination: address(&mut values, "destination")?,
        };
        nothing_else(&values)?;
        Ok(read)
    }
}

/// The query of a list without filters.
#[derive(Debug)]
pub struct PageQuery {
    /// The most rows.
    pub limit: usize,
    /// The place after which the page begins.
    pub after: Option<i64>,
}

impl ListQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let page = page(&mut values)?;
        let filter = PaymentFilter {
            house: false,
            client: None,
            status: taken(
                &mut values,
                "status",
                "is not a status of a payment",
                |text| {
                    let mut all = Status::ALL.into_iter();
                    all.find(|status| status.as_str() == text)
                },
            )?,
            reference: plain(&mut values, "reference")?,
            destination: address(&mut values, "destination")?,
            created_after: time(&mut values, "created_after")?,
            created_before: time(&mut values, "created_before")?,
        };
        nothing_else(&values)?;
        Ok(Self { filter, page })
    }
}

impl InvoiceQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let page = page(&mut values)?;
        let filter = InvoiceFilter {
            client: None,
            status: taken(
                &mut values,
                "status",
                "is not a status of an invoice",
                |text| {
                    let mut all = InvoiceStatus::ALL.into_iter();
                    all.find(|status| status.as_str() == text)
                },
            )?,
            reference: plain(&mut values, "reference")?,
            created_after: time(&mut values, "created_after")?,
            created_before: time(&mut values, "created_before")?,
        };
        nothing_else(&values)?;
        Ok(Self { filter, page })
    }
}

impl DepositQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let page = page(&mut values)?;
        let filter = DepositFilter {
            client: None,
            matched: taken(&mut values, "matched", "must be true or false", |text| {
                text.parse().ok()
            })?,
            wallet: plain(&mut values, "wallet")?,
            invoice: taken(
                &mut values,
                "invoice_id",
                "is not the id of an invoice",
                |text| text.parse().ok(),
            )?,
            from: address(&mut values, "from")?,
            tx_hash: taken(
                &mut values,
                "tx_hash",
                "must be 64 hexadecimal digits",
                |text| text.parse().ok(),
            )?,
            destination_tag: taken(
                &mut values,
                "destination_tag",
                "must be a number from 0 to 4294967295",
                |text| text.parse().ok(),
            )?,
            created_after: time(&mut values, "created_after")?,
            created_before: time(&mut values, "created_before")?,
        };
        nothing_else(&values)?;
        Ok(Self { filter, page })
    }
}

impl PageQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let Page {
            limit: rows,
            cursor: after,
        } = page(&mut values)?;
        if after.is_some_and(|after: i64| after < 0) {
            return Err(Problem::query("cursor", NO_CURSOR));
        }
        nothing_else(&values)?;
        Ok(Self {
            limit: usize::try_from(rows).unwrap_or(usize::MAX),
            after,
        })
    }
}

/// The query of `GET /v1/events`.
#[derive(Debug)]
pub struct FeedQuery {
    /// The sequence after which the page begins.
    pub after: Option<i64>,
    /// The most rows.
    pub limit: u32,
    /// The types that are asked for; all of them, where there is none.
    pub types: Vec<String>,
}

/// The query of `GET /v1/events/stream`.
#[derive(Debug)]
pub struct StreamQuery {
    /// The sequence after which the stream begins.
    pub after: Option<i64>,
    /// The types that are asked for; all of them, where there is none.
    pub types: Vec<String>,
}

impl FeedQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let limit = limit(values.remove("limit"))?;
        let StreamQuery { after, types } = StreamQuery::of(values)?;
        Ok(Self {
            after,
            limit,
            types,
        })
    }
}

impl StreamQuery {
    /// Reads it.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        Self::of(pairs(query)?)
    }

    fn of(mut values: BTreeMap<String, String>) -> Result<Self, Problem> {
        let after = values.remove("after");
        let after = parsed("after", after, "must be the sequence of an event", |text| {
            text.parse().ok().filter(|after: &i64| *after >= 0)
        })?;
        let types = values.remove("type");
        let detail = "must be types of events such as payment.succeeded or payment.*, with commas between them";
        let types = parsed("type", types, detail, event_types)?;
        nothing_else(&values)?;
        let types = types.unwrap_or_default();
        Ok(Self { after, types })
    }
}

/// Every type that a list of entries names. One that nobody sends is refused: the answer would be empty for
/// ever.
fn event_types(text: &str) -> Option<Vec<String>> {
    let entries: Vec<&str> = text.split(',').map(str::trim).collect();
    let are_known = entries.len() <= kinds::FILTER_LEN_MAX
        && entries.iter().all(|entry| kinds::is_known(entry));
    let named = entries.into_iter().flat_map(kinds::named_by);
    are_known.then(|| {
        named
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect()
    })
}

/// Reads a status of a list that is filtered by one.
type Statuses<'a, S> = Option<&'a dyn Fn(&str) -> Option<S>>;

/// The query of a list that is walked by its ids, and filtered by a status where it has one.
#[derive(Debug)]
pub struct WalkQuery<I, S> {
    /// The most rows.
    pub limit: u32,
    /// The last row of the page before.
    pub cursor: Option<I>,
    /// Only those in this status.
    pub status: Option<S>,
}

impl<I: FromStr, S> WalkQuery<I, S> {
    /// Reads it; `statuses` reads a status, where the list is filtered by one.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>, statuses: Statuses<'_, S>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let limit = limit(values.remove("limit"))?;
        let cursor = values.remove("cursor");
        let cursor = parsed("cursor", cursor, NO_CURSOR, |text| text.parse().ok())?;
        let status = match statuses {
            Some(read) => {
                let status = values.remove("status");
                parsed("status", status, "is not a status of this list", read)?
            }
            None => None,
        };
        nothing_else(&values)?;
        Ok(Self {
            limit,
            cursor,
            status,
        })
    }
}

/// Refuses any query where none is taken.
///
/// # Errors
/// 400, naming the parameter.
pub fn none(query: Option<&str>) -> Result<(), Problem> {
    nothing_else(&pairs(query)?)
}

/// Takes the query of a list that is always one page: a limit may be given and changes nothing.
///
/// # Errors
/// 400, naming the parameter.
pub fn whole_list(query: Option<&str>) -> Result<(), Problem> {
    let mut values = pairs(query)?;
    limit(values.remove("limit"))?;
    nothing_else(&values)
}

/// The place of a page in a list, whose cursors are of the kind `I`.
fn page<I: FromStr>(values: &mut BTreeMap<String, String>) -> Result<Page<I>, Problem> {
    Ok(Page {
        limit: limit(values.remove("limit"))?,
        cursor: taken(values, "cursor", NO_CURSOR, |text| text.parse().ok())?,
    })
}

fn plain(values: &mut BTreeMap<String, String>, name: &str) -> Result<Option<String>, Problem> {
    let wanted = "must not hold control characters";
    taken(values, name, wanted, |text| {
        (!text.chars().any(char::is_control)).then(|| text.to_owned())
    })
}

fn address(
    values: &mut BTreeMap<String, String>,
    name: &str,
) -> Result<Option<AccountId>, Problem> {
    let wanted = "is not a classic address";
    taken(values, name, wanted, |text| text.parse().ok())
}

fn time(values: &mut BTreeMap<String, String>, name: &str) -> Result<Option<UnixMs>, Problem> {
    let wanted = "must be a time such as 2026-01-31T12:00:00Z";
    taken(values, name, wanted, rfc3339::parse)
}

fn taken<T>(
    values: &mut BTreeMap<String, String>,
    name: &str,
    wanted: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    parsed(name, values.remove(name), wanted, read)
}

fn pairs(query: Option<&str>) -> Result<BTreeMap<String, String>, Problem> {
    let mut values = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if values
            .insert(name.to_string(), value.into_owned())
            .is_some()
        {
            return Err(Problem::query(&shown(&name), "is given more than once"));
        }
    }
    Ok(values)
}

fn nothing_else(values: &BTreeMap<String, String>) -> Result<(), Problem> {
    match values.keys().next() {
        Some(name) => Err(Problem::query(&shown(name), "is not known")),
        None => Ok(()),
    }
}

/// A name that a stranger chose, short enough to be shown back.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

fn limit(value: Option<String>) -> Result<u32, Problem> {
    let detail = format!("must be a number from 1 to {LIMIT_MAX}");
    let limit = parsed("limit", value, &detail, |text| {
        text.parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
    })?;
    Ok(limit.unwrap_or(LIMIT_DEFAULT))
}

fn parsed<T>(
    name: &str,
    value: Option<String>,
    wanted: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    match value {
        None => Ok(None),
        Some(text) => read(&text)
            .map(Some)
            .ok_or_else(|| Problem::query(name, wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_cannot_be_used_names_its_parameter() {
        for (query, pointer) in [
            ("limit=0", "/query/limit"),
            ("limit=201", "/query/limit"),
            ("limit=ten", "/query/limit"),
            ("cursor=5", "/query/cursor"),
            ("status=done", "/query/status"),
            ("destination=me", "/query/destination"),
            ("created_after=yesterday", "/query/created_after"),
            ("created_before=1", "/query/created_before"),
            ("colour=red", "/query/colour"),
            ("limit=1&limit=2", "/query/limit"),
        ] {
            let problem = ListQuery::read(Some(query)).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{query}");
        }
        for (query, pointer) in [
            ("after=-1", "/query/after"),
            ("after=x", "/query/after"),
            ("type=", "/query/type"),
            ("type=payment", "/query/type"),
            ("type=payment.failed,", "/query/type"),
            ("type=payment.suceeded", "/query/type"),
            ("limit=5", "/query/limit"),
        ] {
            let problem = StreamQuery::read(Some(query)).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{query}");
        }
        let problem = PageQuery::read(Some("cursor=-1")).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/query/cursor");
        let query = FeedQuery::read(Some("after=7&limit=5&type=service.*,payment.failed"));
        let query = query.unwrap();
        assert_eq!((query.after, query.limit), (Some(7), 5));
        let named = ["payment.failed", "service.paused", "service.resumed"];
        assert_eq!(query.types, named);
        assert_eq!(ListQuery::read(None).unwrap().page.limit, LIMIT_DEFAULT);
        let query = ListQuery::read(Some("status=failed&limit=200&reference=a%20b")).unwrap();
        assert_eq!(query.filter.reference.as_deref(), Some("a b"));
        assert_eq!(query.filter.status, Some(Status::Failed));
    }
}
