//! What a holder says of its wallet, as text.
//!
//! Owns its form. It only ever grows: what an older replica leaves out is as if nothing were known of
//! it, and what a newer one adds is passed over, so that both serve beside each other while they are
//! exchanged.

use super::Shown;
use crate::journal::waits::Wait;
use crate::payments::backfill::Progress;
use crate::payments::engine::{TicketsView, View};
use crate::payments::pasts::{Past, Told};
use crate::reconcile::{Books, Counters};
use serde::{Deserialize, Serialize};
use xrpayd_core::ids::{LedgerIndex, UnixMs};
use xrpayd_core::money::Drops;

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    journal_at: Option<u32>,
    journal_start: Option<u32>,
    sign_from: Option<u32>,
    balance: u64,
    reserve: u64,
    spendable: u64,
    in_flight: u64,
    open_attempts: usize,
    sequence_gap: usize,
    halted: Option<String>,
    /// A replica of before this was shown does not say it.
    #[serde(default)]
    foreign: usize,
    tickets: Option<Tickets>,
    backfill: Option<Backfill>,
    waits: Vec<Waiting>,
    past: Option<PastSaid>,
    books: Option<BooksSaid>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tickets {
    standing: u32,
    free: u32,
    on_order: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Backfill {
    start: u32,
    at: u32,
    end: u32,
    entries: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    from: u32,
    missing: Option<u32>,
    why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct PastSaid {
    is_read: bool,
    furthest: u32,
    remembers: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct BooksSaid {
    through: u32,
    #[serde(default)]
    at: Option<i64>,
    differences: usize,
    drops: u64,
    counters: usize,
    counters_drops: u64,
    #[serde(default)]
    forgotten: usize,
}

impl Said {
    pub(super) fn of(shown: Shown) -> Self {
        let Shown { view, past, books } = shown;
        let index = |at: Option<LedgerIndex>| at.map(|at| at.0);
        Self {
            journal_at: index(view.journal_at),
            journal_start: index(view.journal_start),
            sign_from: index(view.sign_from),
            balance: view.balance.get(),
            reserve: view.reserve.get(),
            spendable: view.spendable.get(),
            in_flight: view.in_flight.get(),
            open_attempts: view.open_attempts,
            sequence_gap: view.sequence_gap,
            halted: view.halted,
            foreign: view.foreign,
            tickets: view.tickets.map(|tickets| Tickets {
                standing: tickets.standing,
                free: tickets.free,
                on_order: tickets.on_order,
            }),
            backfill: view.backfill.map(|past| Backfill {
                start: past.start.0,
                at: past.at.0,
                end: past.end.0,
                entries: past.entries,
            }),
            waits: view
                .waits
                .into_iter()
                .map(|wait| Waiting {
                    from: wait.from.0,
                    missing: wait.missing,
                    why: wait.why,
                })
                .collect(),
            past: past.map(|past| PastSaid {
                is_read: past.past == Past::Read,
                furthest: past.furthest.0,
                remembers: past.remembers,
            }),
            books: books.map(|books| BooksSaid {
                through: books.through.0,
                at: books.at.map(|at| at.0),
                differences: books.differences,
                drops: books.drops,
                counters: books.counters.differences,
                counters_drops: books.counters.drops,
                forgotten: books.forgotten,
            }),
        }
    }

    /// What is shown by it; `None` where an amount is none.
    pub(super) fn shown(self) -> Option<Shown> {
        let index = |at: Option<u32>| at.map(LedgerIndex);
        let view = View {
            journal_at: index(self.journal_at),
            balance: Drops::new(self.balance)?,
            reserve: Drops::new(self.reserve)?,
            spendable: Drops::new(self.spendable)?,
            in_flight: Drops::new(self.in_flight)?,
            open_attempts: self.open_attempts,
            sequence_gap: self.sequence_gap,
            tickets: self.tickets.map(|tickets| TicketsView {
                standing: tickets.standing,
                free: tickets.free,
                on_order: tickets.on_order,
            }),
            halted: self.halted,
            foreign: self.foreign,
            sign_from: index(self.sign_from),
            journal_start: index(self.journal_start),
            backfill: self.backfill.map(|past| Progress {
                start: LedgerIndex(past.start),
                at: LedgerIndex(past.at),
                end: LedgerIndex(past.end),
                entries: past.entries,
            }),
            waits: self
                .waits
                .into_iter()
                .map(|wait| Wait {
                    from: LedgerIndex(wait.from),
                    missing: wait.missing,
                    why: wait.why,
                })
                .collect(),
        };
        Some(Shown {
            view,
            past: self.past.map(|past| Told {
                past: if past.is_read {
                    Past::Read
                } else {
                    Past::Unread
                },
                furthest: LedgerIndex(past.furthest),
                remembers: past.remembers,
            }),
            books: self.books.map(|books| Books {
                through: LedgerIndex(books.through),
                at: books.at.map(UnixMs),
                differences: books.differences,
                drops: books.drops,
                forgotten: books.forgotten,
                counters: Counters {
                    differences: books.counters,
                    drops: books.counters_drops,
                },
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_shown_as_it_was() {
        let drops = |n| Drops::new(n).unwrap();
        let view = View {
            journal_at: Some(LedgerIndex(90)),
            balance: drops(7_000),
            reserve: drops(1_000),
            spendable: drops(5_000),
            in_flight: drops(1_000),
            open_attempts: 2,
            sequence_gap: 1,
            tickets: Some(TicketsView {
                standing: 5,
                free: 3,
                on_order: 2,
            }),
            halted: Some("a look".to_owned()),
            foreign: 2,
            sign_from: Some(LedgerIndex(95)),
            journal_start: Some(LedgerIndex(50)),
            backfill: Some(Progress {
                start: LedgerIndex(10),
                at: LedgerIndex(20),
                end: LedgerIndex(49),
                entries: 4,
            }),
            waits: vec![Wait {
                from: LedgerIndex(21),
                missing: Some(3),
                why: "nobody has them".to_owned(),
            }],
        };
        let past = Told {
            past: Past::Read,
            furthest: LedgerIndex(90),
            remembers: true,
        };
        let books = Books {
            through: LedgerIndex(88),
            at: Some(UnixMs(1_700_000_000_000)),
            differences: 1,
            drops: 12,
            forgotten: 4,
            counters: Counters {
                differences: 2,
                drops: 3,
            },
        };
        let shown = Shown {
            view,
            past: Some(past),
            books: Some(books),
        };
        let text = serde_json::to_string(&Said::of(shown.clone())).unwrap();
        let read: Said = serde_json::from_str(&text).unwrap();
        assert_eq!(read.shown(), Some(shown));
    }

    #[test]
    fn a_replica_of_another_version_is_understood_as_far_as_it_goes() {
        let text = r#"{"journal_at":5,"balance":9,"colour":"green"}"#;
        let shown = serde_json::from_str::<Said>(text).unwrap().shown().unwrap();
        assert_eq!(shown.view.journal_at, Some(LedgerIndex(5)));
        assert_eq!((shown.past, shown.books), (None, None));
        let absurd = format!(r#"{{"balance":{}}}"#, u64::MAX);
        assert!(
            serde_json::from_str::<Said>(&absurd)
                .unwrap()
                .shown()
                .is_none()
        );
    }
}
