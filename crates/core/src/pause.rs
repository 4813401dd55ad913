//! The emergency stop: what an operator has paused, and what that stops.
//!
//! A pause stops what would begin: new payments and new signatures. What is in flight is followed to
//! its end, because nothing can call it back. Whoever cannot tell what is paused takes everything as
//! paused.

use std::fmt;
use std::str::FromStr;

/// What comes before a wallet's name in the scope of one wallet.
const WALLET: &str = "wallet:";
/// The longest name of a wallet in a scope.
const NAME_LEN_MAX: usize = 64;

/// What a pause is about. Scopes are switches beside each other: what one holds stays held when another
/// is taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything that moves money or promises to take it: payments of all wallets, and new invoices.
    All,
    /// The payments of all wallets, returns and refunds among them.
    Payments,
    /// The payments of one wallet.
    Wallet(String),
}

impl Scope {
    /// Whether it stops this wallet's payments: none is accepted for it, and nothing new is signed.
    #[must_use]
    pub fn stops_wallet(&self, wallet: &str) -> bool {
        match self {
            Self::All | Self::Payments => true,
            Self::Wallet(name) => name == wallet,
        }
    }

    /// Whether it stops new invoices: money that came in now could not be given back.
    #[must_use]
    pub const fn stops_invoices(&self) -> bool {
        match self {
            Self::All => true,
            Self::Payments | Self::Wallet(_) => false,
        }
    }

    /// The wallet that it is about, where it is about one.
    #[must_use]
    pub fn wallet(&self) -> Option<&str> {
        match self {
            Self::All | Self::Payments => None,
            Self::Wallet(name) => Some(name),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Payments => f.write_str("payments"),
            Self::Wallet(name) => write!(f, "{WALLET}{name}"),
        }
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be all, payments or wallet:<name>")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        match text {
            "all" => Ok(Self::All),
            "payments" => Ok(Self::Payments),
            other => match other.strip_prefix(WALLET) {
                Some(name) if is_a_name(name) => Ok(Self::Wallet(name.to_owned())),
                Some(_) | None => Err(NotAScope),
            },
        }
    }
}

fn is_a_name(name: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&name.len()) && !name.contains(char::is_control)
}

/// Whether a wallet may begin something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// It may.
    #[default]
    Open,
    /// It may not: it is paused, or nobody can tell whether it is.
    Paused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_as_it_is_written_and_nothing_else_is_one() {
        for text in ["all", "payments", "wallet:hot", "wallet:a:b c"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        let long = format!("wallet:{}", "a".repeat(NAME_LEN_MAX + 1));
        for text in ["", "ALL", "wallet", "wallet:", "hot", "wallet:a\0", &long] {
            assert_eq!(text.parse::<Scope>(), Err(NotAScope), "{text:?}");
        }
    }

    #[test]
    fn a_scope_stops_the_wallets_that_it_names() {
        let stops = |text: &str| {
            let scope: Scope = text.parse().unwrap();
            let wallets = ["hot", "warm"].map(|wallet| scope.stops_wallet(wallet));
            (wallets, scope.stops_invoices())
        };
        assert_eq!(stops("all"), ([true, true], true));
        assert_eq!(stops("payments"), ([true, true], false));
        assert_eq!(stops("wallet:warm"), ([false, true], false));
    }
}
