//! From what a transaction says of its way to strands: reading `Paths`, filling in what is implied, and
//! making each step.

use super::{Purpose, Request, Sandbox, StepId, Strand, book, direct, endpoint};
use crate::ledger::amount::{Asset, Currency, NO_ACCOUNT, Quality, XRP_ACCOUNT, XRP_CURRENCY};
use crate::ledger::codes::Ter;
use std::collections::BTreeSet;
use xrpayd_core::address::AccountId;

/// One element of a path: an account to go through, or the asset that a book is to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) account: Option<AccountId>,
    pub(crate) currency: Option<Currency>,
    pub(crate) issuer: Option<AccountId>,
}

impl Element {
    const fn account(id: AccountId) -> Self {
        Self {
            account: Some(id),
            currency: None,
            issuer: None,
        }
    }

    /// Whether the ledger refuses it in any path.
    fn is_bad(&self) -> bool {
        let is_xrp = |id: Option<AccountId>| id == Some(XRP_ACCOUNT);
        let none = Self::default();
        *self == none
            || (self.account.is_some() && (self.issuer.is_some() || self.currency.is_some()))
            || is_xrp(self.issuer)
            || is_xrp(self.account)
            || (self.currency == Some(XRP_CURRENCY) && self.issuer.is_some())
            || self.issuer == Some(NO_ACCOUNT)
            || self.account == Some(NO_ACCOUNT)
    }
}

const PATH_END: u8 = 0x00;
const PATH_NEXT: u8 = 0xFF;
const HAS_ACCOUNT: u8 = 0x01;
const HAS_CURRENCY: u8 = 0x10;
const HAS_ISSUER: u8 = 0x20;

/// Reads the bytes of a path set.
pub(crate) fn read_paths(mut bytes: &[u8]) -> Option<Vec<Vec<Element>>> {
    let mut paths = Vec::new();
    let mut path = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        bytes = rest;
        if kind == PATH_END || kind == PATH_NEXT {
            paths.push(std::mem::take(&mut path));
            if kind == PATH_END {
                return Some(paths);
            }
            continue;
        }
        let mut part = |bit: u8| -> Option<Option<[u8; 20]>> {
            if kind & bit == 0 {
                return Some(None);
            }
            let (head, tail) = bytes.split_first_chunk::<20>()?;
            bytes = tail;
            Some(Some(*head))
        };
        path.push(Element {
            account: part(HAS_ACCOUNT)?.map(AccountId),
            currency: part(HAS_CURRENCY)?,
            issuer: part(HAS_ISSUER)?.map(AccountId),
        });
    }
    None
}

/// What a strand's steps have touched, so that it does not cross itself.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What accounts sent over lines, by the sender.
    pub(super) sources: BTreeSet<Asset>,
    /// The same by the receiver.
    pub(super) targets: BTreeSet<Asset>,
    /// What books gave.
    pub(super) books: BTreeSet<Asset>,
}

/// A strand in the making, as its steps see it.
pub(crate) struct Making<'m> {
    pub(crate) view: &'m Sandbox<'m>,
    pub(crate) source: AccountId,
    pub(crate) destination: AccountId,
    pub(crate) deliver: Asset,
    pub(crate) limit_quality: Option<Quality>,
    pub(crate) purpose: Purpose,
    /// Whether the path was not named but implied.
    pub(crate) is_default_path: bool,
    /// Whether the step that is made now is the last.
    pub(crate) is_last: bool,
    pub(crate) seen: Seen,
    strand: Strand,
}

impl Making<'_> {
    /// Whether the step that is made now is the first.
    pub(crate) const fn is_first(&self) -> bool {
        self.strand.is_empty()
    }

    /// The step before the one that is made now.
    pub(crate) fn previous(&self) -> Option<StepId> {
        self.strand.last().map(|step| step.id())
    }
}

/// An asset as paths see it: XRP is a currency with the zero issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Issue {
    currency: Currency,
    issuer: AccountId,
}

impl Issue {
    fn of(asset: &Asset) -> Result<Self, Ter> {
        Ok(Self {
            currency: asset.currency().ok_or(Ter::TEM_BAD_PATH)?,
            issuer: asset.issuer(),
        })
    }

    fn asset(self) -> Asset {
        Asset::token(self.currency, self.issuer)
    }

    const fn is_xrp(&self) -> bool {
        matches!(self.currency, XRP_CURRENCY)
    }
}

/// Every strand that the request allows, each once.
pub(super) fn strands(view: &Sandbox<'_>, request: &Request<'_>) -> Result<Vec<Strand>, Ter> {
    let mut strands: Vec<Strand> = Vec::new();
    if request.default_path {
        match strand(view, request, &[]) {
            Ok(strand) => strands.push(strand),
            Err(code) if code.is_tem() || request.paths.is_empty() => return Err(code),
            Err(_) => {}
        }
    } else if request.paths.is_empty() {
        return Err(Ter::TEM_RIPPLE_EMPTY);
    }
    let mut last = Ter::TES_SUCCESS;
    for path in request.paths {
        match strand(view, request, path) {
            Ok(strand) => {
                let same = |other: &Strand| {
                    other
                        .iter()
                        .map(|step| step.id())
                        .eq(strand.iter().map(|step| step.id()))
                };
                if !strands.iter().any(same) {
                    strands.push(strand);
                }
            }
            Err(code) if code.is_tem() => return Err(code),
            Err(code) => last = code,
        }
    }
    if strands.is_empty() {
        Err(last)
    } else {
        Ok(strands)
    }
}

/// The path with the ends and the issuers that it implies.
fn normal(
    request: &Request<'_>,
    path: &[Element],
    start: Issue,
    deliver: Issue,
) -> Result<Vec<Element>, Ter> {
    let mut out = vec![Element {
        account: Some(request.source),
        currency: Some(start.currency),
        issuer: Some(start.issuer),
    }];
    if let Some(max) = &request.send_max {
        let issuer = max.asset.issuer();
        let named = path.first().and_then(|first| first.account) == Some(issuer);
        if issuer != request.source && !named {
            out.push(Element::account(issuer));
        }
    }
    out.extend_from_slice(path);
    let last = out.iter().rev().find(|element| element.currency.is_some());
    let last = last.ok_or(Ter::TEM_BAD_PATH)?;
    let other_issuer = request.purpose != Purpose::Payment && last.issuer != Some(deliver.issuer);
    if last.currency != Some(deliver.currency) || other_issuer {
        out.push(Element {
            account: None,
            currency: Some(deliver.currency),
            issuer: Some(deliver.issuer),
        });
    }
    let ends_at = |out: &[Element]| out.last().and_then(|element| element.account);
    if ends_at(&out) != Some(deliver.issuer) && request.destination != deliver.issuer {
        out.push(Element::account(deliver.issuer));
    }
    if ends_at(&out) != Some(request.destination) {
        out.push(Element::account(request.destination));
    }
    Ok(out)
}

/// Makes one strand.
fn strand(view: &Sandbox<'_>, request: &Request<'_>, path: &[Element]) -> Result<Strand, Ter> {
    let deliver = Issue::of(&request.deliver.asset)?;
    let (source, destination) = (request.source, request.destination);
    let max_issuer = request.send_max.map(|max| max.asset.issuer());
    let nobody = [
        Some(source),
        Some(destination),
        Some(deliver.issuer),
        max_issuer,
    ]
    .contains(&Some(NO_ACCOUNT));
    if source == XRP_ACCOUNT
        || destination == XRP_ACCOUNT
        || nobody
        || path.iter().any(Element::is_bad)
    {
        return Err(Ter::TEM_BAD_PATH);
    }
    let given = Issue::of(&request.send_max.unwrap_or(request.deliver).asset)?;
    let start = if given.is_xrp() {
        given
    } else {
        Issue {
            issuer: source,
            ..given
        }
    };
    let elements = normal(request, path, start, deliver)?;
    let mut making = Making {
        view,
        source,
        destination,
        deliver: request.deliver.asset,
        limit_quality: request.limit_quality,
        purpose: request.purpose,
        is_default_path: path.is_empty(),
        is_last: false,
        seen: Seen::default(),
        strand: Vec::new(),
    };
    let mut at = start;
    for (place, pair) in elements.windows(2).enumerate() {
        let [current, next] = pair else { continue };
        let is_last = place + 2 == elements.len();
        advance(&mut at, current);
        pair_of_elements(&mut making, at, current, next, is_last)?;
    }
    Ok(making.strand)
}

/// What is in hand once `element` is reached.
fn advance(at: &mut Issue, element: &Element) {
    if let Some(issuer) = element.account.or(element.issuer) {
        at.issuer = issuer;
    }
    if let Some(currency) = element.currency {
        at.currency = currency;
        if currency == XRP_CURRENCY {
            at.issuer = XRP_ACCOUNT;
        }
    }
}

/// Makes the steps from one element to the next: one, two where an account is implied between them, or
/// none from a book to the issuer of what it gives.
fn pair_of_elements(
    making: &mut Making<'_>,
    at: Issue,
    current: &Element,
    next: &Element,
    is_last: bool,
) -> Result<(), Ter> {
    making.is_last = false;
    match (current.account, next.account) {
        (None, Some(to)) => {
            // The book's own step was made when it was reached.
            if at.issuer == to || to == XRP_ACCOUNT {
                return Ok(());
            }
            let step = match (at.is_xrp(), is_last) {
                (true, false) => return Err(Ter::TEM_BAD_PATH),
                (true, true) => endpoint::make(making, to)?,
                (false, _) => direct::make(making, at.issuer, to, at.currency)?,
            };
            making.strand.push(step);
            Ok(())
        }
        (Some(from), to) => {
            let implied = at.issuer != from
                && match to {
                    Some(to) => !at.is_xrp() && at.issuer != to,
                    None => true,
                };
            let mut from = from;
            if implied {
                let step = direct::make(making, from, at.issuer, at.currency)?;
                making.strand.push(step);
                from = at.issuer;
            }
            making.is_last = is_last;
            let begins_with_xrp = current.currency == Some(XRP_CURRENCY);
            push_step(making, at, Some(from), begins_with_xrp, next)
        }
        (None, None) => {
            making.is_last = is_last;
            push_step(making, at, None, false, next)
        }
    }
}

fn push_step(
    making: &mut Making<'_>,
    at: Issue,
    from: Option<AccountId>,
    begins_with_xrp: bool,
    next: &Element,
) -> Result<(), Ter> {
    let step = match (from, next.account) {
        (Some(from), _) if making.is_first() && begins_with_xrp => endpoint::make(making, from)?,
        (Some(XRP_ACCOUNT), Some(to)) if making.is_last => endpoint::make(making, to)?,
        (Some(from), Some(to)) => direct::make(making, from, to, at.currency)?,
        _ => {
            let output = Issue {
                currency: next.currency.unwrap_or(at.currency),
                issuer: next.issuer.unwrap_or(at.issuer),
            };
            if at.is_xrp() && output.is_xrp() {
                return Err(Ter::TEM_BAD_PATH);
            }
            book::make(making, at.asset(), output.asset())?
        }
    };
    making.strand.push(step);
    Ok(())
}
