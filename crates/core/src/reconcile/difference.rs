//! What does not agree, in words that a person can act on.

use crate::ids::LedgerIndex;
use std::fmt;

/// One thing that the books and the ledger say differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// What it is about: a payment, a transaction, a counter.
    pub subject: String,
    /// The ledger that it is about.
    pub ledger_index: Option<LedgerIndex>,
    /// What the books say.
    pub books: String,
    /// What the ledger says, or what the rest of the books does.
    pub ledger: String,
    /// Books less ledger, in drops, where money differs.
    pub drops: i128,
}

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The balance before the journal's first transaction.
    OpeningBalance,
    /// The balance that all entries add up to.
    Balance,
    /// Where the journal says that it stands.
    Cursor,
    /// The ledger holds a transaction that the journal lacks.
    MissingEntry,
    /// The journal holds a transaction that the ledger lacks.
    ExtraEntry,
    /// The journal says something else of a transaction than the ledger.
    AlteredEntry,
    /// A transaction moved the balance by something else than it is booked with.
    Movement,
    /// The account sent a transaction that nobody here signed.
    Foreign,
    /// The books say that a ledger holds an attempt, and it does not.
    NotOnLedger,
    /// The ledger holds an attempt of which the books do not say so.
    NotInBooks,
    /// A payment, or an attempt of one, is otherwise on the ledger than in the books.
    Payment,
    /// The ledger delivered one payment more than once, or one that the books say was not delivered.
    PaidTwice,
    /// What is counted against the limits is not what the payments say.
    Limits,
    /// A total is not what the payments say.
    Totals,
    /// A deposit is booked otherwise than the journal holds it, or without it, or not at all.
    Deposit,
    /// An invoice has received something else than its deposits add up to.
    Invoice,
    /// A row of the books that means nothing.
    Unreadable,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpeningBalance => "opening_balance",
            Self::Balance => "balance",
            Self::Cursor => "cursor",
            Self::MissingEntry => "missing_entry",
            Self::ExtraEntry => "extra_entry",
            Self::AlteredEntry => "altered_entry",
            Self::Movement => "movement",
            Self::Foreign => "foreign_transaction",
            Self::NotOnLedger => "not_on_ledger",
            Self::NotInBooks => "not_in_books",
            Self::Payment => "payment",
            Self::PaidTwice => "paid_twice",
            Self::Limits => "limits",
            Self::Totals => "totals",
            Self::Deposit => "deposit",
            Self::Invoice => "invoice",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether a wallet whose books differ so may sign nothing more. What came in, and for whom, decides
    /// nothing that is paid: the balance does, and it is held against the ledger by itself.
    #[must_use]
    pub const fn halts(self) -> bool {
        match self {
            Self::Deposit | Self::Invoice => false,
            Self::OpeningBalance
            | Self::Balance
            | Self::Cursor
            | Self::MissingEntry
            | Self::ExtraEntry
            | Self::AlteredEntry
            | Self::Movement
            | Self::Foreign
            | Self::NotOnLedger
            | Self::NotInBooks
            | Self::Payment
            | Self::PaidTwice
            | Self::Limits
            | Self::Totals
            | Self::Unreadable => true,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.subject)?;
        if let Some(ledger) = self.ledger_index {
            write!(f, " in ledger {ledger}")?;
        }
        write!(
            f,
            ": the books say {}, the ledger {}",
            self.books, self.ledger
        )?;
        if self.drops != 0 {
            write!(f, " ({:+} drops)", self.drops)?;
        }
        Ok(())
    }
}
