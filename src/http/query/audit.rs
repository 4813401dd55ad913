//! The query of `GET /v1/audit`.

use super::super::problem::Problem;
use super::{limit, nothing_else, pairs, plain, taken, time};
use crate::store::{AuditFilter, AuditFrom};

/// The query of `GET /v1/audit`.
#[derive(Debug)]
pub struct AuditQuery {
    /// Which entries.
    pub filter: AuditFilter,
    /// Where the page begins, and which way it goes.
    pub from: AuditFrom,
    /// The most rows.
    pub limit: u32,
}

impl AuditQuery {
    /// Reads it. A cursor says which way its list goes; `after` begins one that goes forwards.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut values = pairs(query)?;
        let limit = limit(values.remove("limit"))?;
        let after = taken(
            &mut values,
            "after",
            "must be the sequence of an entry",
            |text| text.parse().ok().filter(|after: &i64| *after >= 0),
        )?;
        let cursor = taken(
            &mut values,
            "cursor",
            "is not a cursor that a list gave out",
            read_cursor,
        )?;
        let from = match (after, cursor) {
            (Some(_), Some(_)) => {
                let detail = "already says where to go on, so `after` is left out";
                return Err(Problem::query("cursor", detail));
            }
            (Some(after), None) => AuditFrom::After(after),
            (None, Some(from)) => from,
            (None, None) => AuditFrom::Newest,
        };
        let filter = AuditFilter {
            action: plain(&mut values, "action")?,
            subject: plain(&mut values, "subject")?,
            since: time(&mut values, "since")?,
        };
        nothing_else(&values)?;
        Ok(Self {
            filter,
            from,
            limit,
        })
    }

    /// The cursor of the page after one that ends with this sequence.
    #[must_use]
    pub fn cursor(&self, last: i64) -> String {
        match self.from {
            AuditFrom::After(_) => format!("after-{last}"),
            AuditFrom::Newest | AuditFrom::Before(_) => format!("before-{last}"),
        }
    }
}

fn read_cursor(text: &str) -> Option<AuditFrom> {
    let (way, sequence) = text.split_once('-')?;
    let is_number = sequence.bytes().all(|byte| byte.is_ascii_digit());
    let sequence: i64 = sequence.parse().ok().filter(|_| is_number)?;
    match way {
        "after" => Some(AuditFrom::After(sequence)),
        "before" => Some(AuditFrom::Before(sequence)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_the_way_its_list_went_and_nothing_else_is_one() {
        let read = |query: &str| AuditQuery::read(Some(query));
        let newest = AuditQuery::read(None).unwrap();
        assert_eq!((newest.from, newest.limit), (AuditFrom::Newest, 50));
        let next = read(&format!("cursor={}", newest.cursor(7))).unwrap();
        assert_eq!(next.from, AuditFrom::Before(7));
        assert_eq!(next.cursor(3), newest.cursor(3));
        let forwards = read("after=0&action=pause").unwrap();
        assert_eq!(forwards.from, AuditFrom::After(0));
        assert_eq!(forwards.filter.action.as_deref(), Some("pause"));
        let next = read(&format!("cursor={}", forwards.cursor(9))).unwrap();
        assert_eq!(next.from, AuditFrom::After(9));
        for (query, pointer) in [
            ("after=-1", "/query/after"),
            ("after=x", "/query/after"),
            ("cursor=9", "/query/cursor"),
            ("cursor=after-", "/query/cursor"),
            ("cursor=after--1", "/query/cursor"),
            ("cursor=before-%2B1", "/query/cursor"),
            ("cursor=before-1&after=1", "/query/cursor"),
            ("since=yesterday", "/query/since"),
            ("limit=0", "/query/limit"),
            ("object=x", "/query/object"),
        ] {
            let problem = read(query).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{query}");
        }
    }
}
