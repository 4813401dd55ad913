//! Fences narrower than the daemon's own: what one client may ask for, and what one destination may be
//! paid.
//!
//! A scope's payments are counted as all payments are: reserved at their acceptance, kept by what was
//! delivered, released by what was not. A payment has to pass the fences of every scope that it belongs
//! to, or it takes from none.

use super::{Breach, Caps, Usage, reserve};
use crate::address::AccountId;
use crate::money::Drops;
use std::collections::BTreeMap;
use std::fmt;

/// Payments that are counted together, besides all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// What one client asked for.
    Client(String),
    /// What one account is paid.
    Destination(AccountId),
}

/// What kind of payments are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// All of them.
    All,
    /// One client's.
    Client,
    /// One destination's.
    Destination,
}

impl ScopeKind {
    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Client => "client",
            Self::Destination => "destination",
        }
    }

    /// Whose limit it is, before the word for the limit.
    pub(super) const fn whose(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Client => "client's ",
            Self::Destination => "destination's ",
        }
    }
}

impl Scope {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ScopeKind {
        match self {
            Self::Client(_) => ScopeKind::Client,
            Self::Destination(_) => ScopeKind::Destination,
        }
    }
}

/// `client:<name>` or `destination:<address>`: no two scopes are written alike.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client:{name}"),
            Self::Destination(account) => write!(f, "destination:{account}"),
        }
    }
}

/// The fences of one scope; what is not named is not bounded there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeCaps {
    /// The most that one payment may move.
    pub max_payment: Option<Drops>,
    /// The most that may be moved in any 24 hours.
    pub daily: Option<Drops>,
    /// How many payments may be on their way at once.
    pub max_pending: Option<u32>,
}

impl ScopeCaps {
    /// No fence at all.
    pub const NONE: Self = Self {
        max_payment: None,
        daily: None,
        max_pending: None,
    };

    /// Whether what is used of the scope has to be known.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.daily.is_some() || self.max_pending.is_some()
    }

    /// These fences, and where one is not named, that of `every`.
    #[must_use]
    pub fn or(self, every: Self) -> Self {
        Self {
            max_payment: self.max_payment.or(every.max_payment),
            daily: self.daily.or(every.daily),
            max_pending: self.max_pending.or(every.max_pending),
        }
    }

    /// Checks the fence that depends on the payment alone.
    ///
    /// # Errors
    /// The fence in the way.
    pub fn check_amount(&self, scope: ScopeKind, amount: Drops) -> Result<(), Breach> {
        match self.max_payment {
            Some(max) if amount > max => Err(Breach::AboveMaximum { scope, max }),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks how many are on their way.
    ///
    /// # Errors
    /// The fence in the way.
    pub const fn check_pending(&self, scope: ScopeKind, usage: Usage) -> Result<(), Breach> {
        match self.max_pending {
            Some(max) if usage.pending >= max => Err(Breach::TooManyPending { scope, max }),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks what is left of the day.
    ///
    /// # Errors
    /// The fence in the way.
    pub fn check_day(&self, scope: ScopeKind, usage: Usage, amount: Drops) -> Result<(), Breach> {
        let Some(daily) = self.daily else {
            return Ok(());
        };
        match usage.daily_used.checked_add(amount) {
            Some(used) if used <= daily => Ok(()),
            Some(_) | None => Err(Breach::Daily {
                scope,
                left: daily.saturating_sub(usage.daily_used),
            }),
        }
    }
}

/// The fences of a payment's own scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopedCaps {
    /// Those of the client that asks.
    pub client: ScopeCaps,
    /// Those of the account that is paid.
    pub destination: ScopeCaps,
}

impl ScopedCaps {
    /// No fence at all.
    pub const NONE: Self = Self {
        client: ScopeCaps::NONE,
        destination: ScopeCaps::NONE,
    };

    /// Checks the fences that depend on the payment alone.
    ///
    /// # Errors
    /// The fence in the way.
    pub fn check_amount(&self, amount: Drops) -> Result<(), Breach> {
        self.client.check_amount(ScopeKind::Client, amount)?;
        self.destination
            .check_amount(ScopeKind::Destination, amount)
    }
}

/// The fences of all clients and destinations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeRules {
    /// Of a client that has none of its own.
    pub every_client: ScopeCaps,
    /// Of clients by their names.
    pub clients: BTreeMap<String, ScopeCaps>,
    /// Of a destination that has none of its own.
    pub every_destination: ScopeCaps,
    /// Of destinations by their accounts.
    pub destinations: BTreeMap<AccountId, ScopeCaps>,
}

impl ScopeRules {
    /// The fences of a payment that `client` asks for; none of a client's where it is nobody's.
    #[must_use]
    pub fn of(&self, client: Option<&str>, destination: &AccountId) -> ScopedCaps {
        ScopedCaps {
            client: client.map_or(ScopeCaps::NONE, |client| self.of_client(client)),
            destination: self.of_destination(destination),
        }
    }

    /// The fences of a client.
    #[must_use]
    pub fn of_client(&self, client: &str) -> ScopeCaps {
        let own = self.clients.get(client).copied().unwrap_or_default();
        own.or(self.every_client)
    }

    /// The fences of a destination.
    #[must_use]
    pub fn of_destination(&self, destination: &AccountId) -> ScopeCaps {
        let own = self.destinations.get(destination).copied();
        own.unwrap_or_default().or(self.every_destination)
    }
}

/// What is used of one of a payment's own scopes, beside its fences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoped {
    /// What kind of scope it is.
    pub kind: ScopeKind,
    /// Its fences.
    pub caps: ScopeCaps,
    /// What is used of them.
    pub usage: Usage,
}

/// Reserves `amount` in everything at once: the usage of all payments after it. Where several fences
/// stand in the way, what cannot pass by itself is told before what is pending, and that before the day;
/// of several days the one that has least left.
///
/// # Errors
/// The fence in the way; nothing is reserved anywhere.
pub fn reserve_everywhere(
    caps: &Caps,
    usage: Usage,
    scopes: &[Scoped],
    amount: Drops,
) -> Result<Usage, Breach> {
    super::check_amount(caps, amount)?;
    for scope in scopes {
        scope.caps.check_amount(scope.kind, amount)?;
    }
    let all = reserve(caps, usage, amount);
    if let Err(breach @ Breach::TooManyPending { .. }) = all {
        return Err(breach);
    }
    for scope in scopes {
        scope.caps.check_pending(scope.kind, scope.usage)?;
    }
    let days = scopes
        .iter()
        .map(|scope| scope.caps.check_day(scope.kind, scope.usage, amount));
    let mut least: Option<(Drops, Breach)> = None;
    for day in std::iter::once(all.map(|_| ())).chain(days) {
        if let Err(breach) = day {
            let left = match breach {
                Breach::Daily { left, .. } => left,
                Breach::BelowMinimum { .. }
                | Breach::AboveMaximum { .. }
                | Breach::TooManyPending { .. } => Drops::ZERO,
            };
            if least.is_none_or(|(least, _)| left < least) {
                least = Some((left, breach));
            }
        }
    }
    match least {
        Some((_, breach)) => Err(breach),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn xrp(text: &str) -> Drops {
        Drops::from_xrp(text).unwrap()
    }

    const ROOMY: Caps = Caps {
        min_payment: Drops::ZERO,
        max_payment: Drops::MAX,
        daily: Drops::MAX,
        max_pending: u32::MAX,
    };

    fn caps(max_payment: &str, daily: &str, max_pending: u32) -> ScopeCaps {
        ScopeCaps {
            max_payment: Some(xrp(max_payment)),
            daily: Some(xrp(daily)),
            max_pending: Some(max_pending),
        }
    }

    fn used(daily: &str, pending: u32) -> Usage {
        Usage {
            daily_used: xrp(daily),
            pending,
        }
    }

    #[test]
    fn each_fence_of_a_scope_is_exact_to_the_drop_and_says_whose_it_is() {
        let client = |usage| Scoped {
            kind: ScopeKind::Client,
            caps: caps("10", "100", 3),
            usage,
        };
        let ask = |usage, amount: &str| {
            reserve_everywhere(&ROOMY, Usage::default(), &[client(usage)], xrp(amount))
        };
        assert!(ask(used("90", 2), "10").is_ok());
        assert_eq!(
            ask(used("90", 2), "10.000001"),
            Err(Breach::AboveMaximum {
                scope: ScopeKind::Client,
                max: xrp("10")
            })
        );
        assert_eq!(
            ask(used("90.000001", 2), "10"),
            Err(Breach::Daily {
                scope: ScopeKind::Client,
                left: xrp("9.999999")
            })
        );
        let full = ask(used("0", 3), "1").unwrap_err();
        assert_eq!(
            full,
            Breach::TooManyPending {
                scope: ScopeKind::Client,
                max: 3
            }
        );
        assert_eq!(
            full.to_string(),
            "3 of the client's payments are already on their way"
        );
    }

    #[test]
    fn of_several_days_the_one_with_least_left_is_told() {
        let scoped = |kind, usage| Scoped {
            kind,
            caps: caps("100", "100", 9),
            usage,
        };
        let scopes = [
            scoped(ScopeKind::Client, used("95", 0)),
            scoped(ScopeKind::Destination, used("97", 0)),
        ];
        let all = Caps {
            daily: xrp("100"),
            ..ROOMY
        };
        let told = |amount: &str| {
            let usage = used("96", 0);
            reserve_everywhere(&all, usage, &scopes, xrp(amount)).unwrap_err()
        };
        let of = |scope, left: &str| Breach::Daily {
            scope,
            left: xrp(left),
        };
        assert_eq!(told("6"), of(ScopeKind::Destination, "3"));
        assert_eq!(told("3.5"), of(ScopeKind::Destination, "3"));
        let text = told("6").to_string();
        assert_eq!(
            text,
            "the amount is above what is left of the destination's daily limit: 3 XRP"
        );
    }

    #[test]
    fn what_a_client_does_not_say_is_as_for_every_client() {
        let rules = ScopeRules {
            every_client: caps("10", "100", 3),
            clients: [(
                "shop".to_owned(),
                ScopeCaps {
                    daily: Some(xrp("500")),
                    ..ScopeCaps::NONE
                },
            )]
            .into(),
            every_destination: ScopeCaps::NONE,
            destinations: [(AccountId([1; 20]), caps("1", "2", 3))].into(),
        };
        assert_eq!(rules.of_client("shop"), caps("10", "500", 3));
        assert_eq!(rules.of_client("other"), caps("10", "100", 3));
        let of = rules.of(None, &AccountId([1; 20]));
        assert_eq!(of.client, ScopeCaps::NONE, "the house is nobody's client");
        assert_eq!(of.destination, caps("1", "2", 3));
        assert!(!rules.of_destination(&AccountId([2; 20])).counts());
    }

    #[test]
    fn no_two_scopes_are_written_alike() {
        let account = AccountId([1; 20]);
        let scopes = [
            Scope::Client("all".to_owned()),
            Scope::Client(account.to_string()),
            Scope::Destination(account),
        ];
        let texts: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        assert_eq!(texts[0], "client:all");
        assert_ne!(texts[1], texts[2]);
    }

    proptest! {
        #[test]
        fn a_payment_passes_every_fence_or_takes_from_none(
            amount in 0_u64..200,
            all in (0_u64..200, 0_u64..200),
            client in (0_u64..200, 0_u64..200),
            pending in (0_u32..4, 0_u32..4),
        ) {
            let drops = |n| Drops::new(n).unwrap();
            let caps = Caps { daily: drops(all.0), ..ROOMY };
            let usage = Usage { daily_used: drops(all.1), pending: 0 };
            let scoped = Scoped {
                kind: ScopeKind::Client,
                caps: ScopeCaps { daily: Some(drops(client.0)), max_pending: Some(pending.0), max_payment: None },
                usage: Usage { daily_used: drops(client.1), pending: pending.1 },
            };
            let fits = amount > 0
                && all.1 + amount <= all.0
                && client.1 + amount <= client.0
                && pending.1 < pending.0;
            let reserved = reserve_everywhere(&caps, usage, &[scoped], drops(amount));
            prop_assert_eq!(reserved.is_ok(), fits);
            if let Ok(after) = reserved {
                prop_assert_eq!(after.daily_used.get(), all.1 + amount);
            }
        }
    }
}
