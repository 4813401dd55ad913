//! Finding paths: which ways a payment could go, and which of them are worth naming.
//!
//! `links` lengthens partial paths by the patterns that the real server tries at its levels of search;
//! `rank` lets the payment engine try each complete path and puts the best first. Owns what one search has
//! found. Nothing is changed: every trial runs in a sandbox that is thrown away.

mod links;
mod rank;

use super::amount::{
    Amount, Asset, Currency, DROPS_MAX, Overflow, Value, XRP_ACCOUNT, XRP_CURRENCY,
};
use super::rules::Setting;
use super::rules::flow::{Element, Found, Purpose, Request, Sandbox, flow};
use super::rules::line::{self, Line};
use super::rules::offer::{Book, directory_book};
use super::state::Read;
use crate::ledger::entry::with_quality;
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// Paths that an answer names at most.
pub(crate) const PATHS_MAX: usize = 4;

/// One step of a path: an account, or what a book gives. All three are known; `kind` says which are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) account: AccountId,
    pub(crate) currency: Currency,
    pub(crate) issuer: AccountId,
}

/// Which parts of a step are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// An account to go through.
    Account,
    /// The book that gives XRP.
    ToXrp,
    /// A book that gives an issued currency.
    ToToken,
}

impl Node {
    const fn account(account: AccountId, currency: Currency) -> Self {
        Self {
            kind: NodeKind::Account,
            account,
            currency,
            issuer: account,
        }
    }

    fn book(gets: &Asset) -> Self {
        Self {
            kind: if gets.is_xrp() {
                NodeKind::ToXrp
            } else {
                NodeKind::ToToken
            },
            account: XRP_ACCOUNT,
            currency: gets.currency().unwrap_or(XRP_CURRENCY),
            issuer: gets.issuer(),
        }
    }

    /// As a transaction would name it.
    fn element(&self) -> Element {
        match self.kind {
            NodeKind::Account => Element {
                account: Some(self.account),
                ..Element::default()
            },
            NodeKind::ToXrp => Element {
                currency: Some(self.currency),
                ..Element::default()
            },
            NodeKind::ToToken => Element {
                currency: Some(self.currency),
                issuer: Some(self.issuer),
                ..Element::default()
            },
        }
    }
}

/// A path.
pub(crate) type Path = Vec<Node>;

/// What a payment is to do.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) source: AccountId,
    pub(crate) destination: AccountId,
    /// What is to arrive; where all is to be converted, as much as there can be.
    pub(crate) deliver: Amount,
    /// Whether as much as possible is to arrive.
    pub(crate) converts_all: bool,
    pub(crate) send_max: Option<Amount>,
}

/// A ledger to search in.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'v> {
    pub(crate) view: &'v dyn Read,
    pub(crate) setting: &'v Setting,
}

/// How much a trial may deliver, over which paths.
struct Trial<'t> {
    deliver: Amount,
    send_max: Amount,
    paths: &'t [Path],
    default_path: bool,
    is_partial: bool,
}

/// As much of an asset as an amount can hold.
pub(crate) fn largest(asset: Asset) -> Result<Amount, Overflow> {
    Ok(match asset {
        Asset::Token { .. } => {
            let most = TokenValue::new(false, 9_999_999_999_999_999, 80);
            Value::Token(most.map_err(|_| Overflow)?).of(asset)
        }
        Asset::Xrp => Value::Xrp(DROPS_MAX).of(asset),
        Asset::Mpt(_) => Value::Mpt(i64::MAX).of(asset),
    })
}

/// An amount that stands for "whatever it takes".
pub(crate) fn without_limit(asset: Asset) -> Result<Amount, Overflow> {
    let value = match asset {
        Asset::Token { .. } => Value::Token(TokenValue::new(true, 1, 0).map_err(|_| Overflow)?),
        Asset::Xrp => Value::Xrp(-1),
        Asset::Mpt(_) => Value::Mpt(-1),
    };
    Ok(value.of(asset))
}

/// Lets the payment engine try what `trial` says.
fn try_out(sandbox: &Sandbox<'_>, wish: &Wish, trial: &Trial<'_>) -> Found {
    let paths: Vec<Vec<Element>> = trial
        .paths
        .iter()
        .map(|path| path.iter().map(Node::element).collect())
        .collect();
    let max = trial.send_max;
    // The engine takes the source's own issue for granted where no limit is meant.
    let is_implied = max.is_negative()
        && max.asset.currency() == trial.deliver.asset.currency()
        && max.asset.issuer() == wish.source;
    let request = Request {
        source: wish.source,
        destination: wish.destination,
        deliver: trial.deliver,
        send_max: (!is_implied).then_some(max),
        paths: &paths,
        default_path: trial.default_path,
        is_partial: trial.is_partial,
        limit_quality: None,
        purpose: Purpose::Payment,
    };
    flow(sandbox, &request)
}

/// What came of a payment over the paths that were found.
pub(crate) struct Paid {
    pub(crate) input: Amount,
    pub(crate) output: Amount,
}

/// Tries a payment of `source` over `paths` and over the default path; nothing where it fails. Where only
/// less than all can be had and `spare` can carry all of it, that path is tried as well.
pub(crate) fn pay(
    ground: Ground<'_>,
    wish: &Wish,
    send_max: Amount,
    paths: &mut Vec<Path>,
    spare: Option<Path>,
) -> Option<Paid> {
    use crate::ledger::codes::Ter;
    let run = |paths: &[Path]| {
        let sandbox = Sandbox::over(ground.view, ground.setting);
        let trial = Trial {
            deliver: wish.deliver,
            send_max,
            paths,
            default_path: true,
            is_partial: wish.converts_all,
        };
        try_out(&sandbox, wish, &trial)
    };
    let mut found = run(paths);
    let falls_short = matches!(found.result, Err(Ter::TER_NO_LINE | Ter::TEC_PATH_PARTIAL));
    if let Some(spare) = spare.filter(|_| falls_short && !wish.converts_all) {
        paths.push(spare);
        found = run(paths);
    }
    found.result.ok()?;
    Some(Paid {
        input: found.flow.input.of(send_max.asset),
        output: found.flow.output.of(wish.deliver.asset),
    })
}

/// Every book in which somebody offers something.
fn books(view: &dyn Read) -> BTreeMap<Asset, BTreeSet<Asset>> {
    let mut out: BTreeMap<Asset, BTreeSet<Asset>> = BTreeMap::new();
    let mut next = view.next_book(&[0; 32]);
    while let Some(root) = next {
        if let Some(Book { pays, gets }) = directory_book(view, &root) {
            out.entry(pays).or_default().insert(gets);
        }
        next = view.next_book(&with_quality(root, u64::MAX));
    }
    out
}

/// The currencies that an account could send.
pub(crate) fn sendable(view: &dyn Read, account: AccountId) -> BTreeSet<Currency> {
    let can_send = |line: &Line| {
        let peer = line.other(account);
        let (held, room) = (line.balance(account), line.limit(peer));
        held.is_positive() || (!room.is_zero() && held.negated() < room)
    };
    let lines = line::all(view, account).filter(can_send);
    std::iter::once(XRP_CURRENCY)
        .chain(lines.map(|line| line.currency))
        .collect()
}

/// The currencies that an account could receive.
pub(crate) fn receivable(
    view: &dyn Read,
    account: AccountId,
    with_xrp: bool,
) -> BTreeSet<Currency> {
    let lines = line::all(view, account)
        .filter(|line| line.balance(account) < line.limit(account))
        .map(|line| line.currency);
    with_xrp
        .then_some(XRP_CURRENCY)
        .into_iter()
        .chain(lines)
        .collect()
}

/// A search for paths of one currency that the source sends.
pub(crate) struct Finder<'v> {
    ground: Ground<'v>,
    wish: &'v Wish,
    currency: Currency,
    /// Where the paths are to lead: the issuer of what is to arrive, or the destination of XRP.
    goal: AccountId,
    source_max: Amount,
    books: BTreeMap<Asset, BTreeSet<Asset>>,
    complete: Vec<Path>,
    ways_out: BTreeMap<(AccountId, Currency), u32>,
}

impl<'v> Finder<'v> {
    /// Searches at `level`; `None` where no path makes sense.
    pub(crate) fn search(
        ground: Ground<'v>,
        wish: &'v Wish,
        currency: Currency,
        level: u32,
    ) -> Result<Option<Self>, Overflow> {
        let deliver = wish.deliver.asset;
        let goal = if deliver.is_xrp() {
            wish.destination
        } else {
            deliver.issuer()
        };
        let source_max = match wish.send_max {
            Some(max) => max,
            None => without_limit(Asset::token(currency, wish.source))?,
        };
        let mut finder = Self {
            ground,
            wish,
            currency,
            goal,
            source_max,
            books: books(ground.view),
            complete: Vec::new(),
            ways_out: BTreeMap::new(),
        };
        Ok(finder.find(level).then_some(finder))
    }

    fn find(&mut self, level: u32) -> bool {
        let wish = self.wish;
        let deliver = wish.deliver;
        let same_currency = deliver.asset.currency() == Some(self.currency);
        let is_own = same_currency && wish.source == self.goal;
        if deliver.is_zero() || (is_own && wish.destination == self.goal) {
            return false;
        }
        if is_own {
            // The default path may do; any other would come back to where it began.
            return true;
        }
        let exists = |id| self.ground.view.account(id).is_some();
        if !exists(wish.source) || (self.goal != wish.destination && !exists(self.goal)) {
            return false;
        }
        let reserve = self.ground.setting.fees.reserve(0);
        let funds_new = deliver
            .drops()
            .and_then(|drops| u64::try_from(drops).ok())
            .is_some_and(|drops| drops >= reserve);
        if !exists(wish.destination) && !funds_new {
            return false;
        }
        self.search_patterns(level);
        true
    }
}
