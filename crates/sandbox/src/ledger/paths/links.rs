//! How partial paths grow: by the patterns of the real server, one link at a time.
//!
//! A pattern says what kinds of links follow one another. Each level of search tries more of them.

use super::{Finder, Node, NodeKind, Path};
use crate::ledger::amount::{Asset, Currency, XRP_ACCOUNT, XRP_CURRENCY};
use crate::ledger::entry::lsf;
use crate::ledger::rules::line::{self, Line, is_globally_frozen};
use std::collections::BTreeMap;
use xrpayd_core::address::AccountId;

/// Complete paths that one search collects.
const COMPLETE_MAX: usize = 1000;
/// Accounts that are tried after one, and after the source.
const ACCOUNTS_MAX: usize = 10;
const ACCOUNTS_FROM_SOURCE_MAX: usize = 50;
/// What a direct way to the goal counts for among an account's ways out.
const GOAL_WEIGHT: u32 = 10_000;

/// A kind of link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    Accounts,
    Books,
    XrpBook,
    GoalBook,
    Goal,
}

use Link::{Accounts, Books, Goal, GoalBook, XrpBook};

/// A pattern, and the level of search from which it is tried.
type Pattern = (u32, &'static [Link]);

const FROM_XRP: [Pattern; 7] = [
    (1, &[GoalBook, Goal]),
    (3, &[GoalBook, Accounts, Goal]),
    (5, &[GoalBook, Accounts, Accounts, Goal]),
    (6, &[Books, GoalBook, Goal]),
    (8, &[Books, Accounts, GoalBook, Goal]),
    (9, &[Books, GoalBook, Accounts, Goal]),
    (10, &[Books, Accounts, GoalBook, Accounts, Goal]),
];
const TO_XRP: [Pattern; 6] = [
    (1, &[XrpBook, Goal]),
    (2, &[Accounts, XrpBook, Goal]),
    (6, &[Accounts, Accounts, XrpBook, Goal]),
    (7, &[Books, XrpBook, Goal]),
    (8, &[Accounts, Books, XrpBook, Goal]),
    (9, &[Accounts, Books, Accounts, XrpBook, Goal]),
];
const SAME_CURRENCY: [Pattern; 12] = [
    (1, &[Accounts, Goal]),
    (1, &[GoalBook, Goal]),
    (4, &[Accounts, GoalBook, Goal]),
    (4, &[GoalBook, Accounts, Goal]),
    (5, &[Accounts, Accounts, Goal]),
    (5, &[Books, GoalBook, Goal]),
    (6, &[XrpBook, GoalBook, Accounts, Goal]),
    (6, &[Accounts, GoalBook, Accounts, Goal]),
    (6, &[Accounts, XrpBook, GoalBook, Goal]),
    (6, &[Accounts, XrpBook, GoalBook, Accounts, Goal]),
    (6, &[Accounts, Books, GoalBook, Goal]),
    (7, &[Accounts, Accounts, Accounts, Goal]),
];
const OTHER_CURRENCY: [Pattern; 12] = [
    (1, &[GoalBook, Accounts, Goal]),
    (1, &[Accounts, GoalBook, Goal]),
    (3, &[Accounts, GoalBook, Accounts, Goal]),
    (4, &[XrpBook, GoalBook, Goal]),
    (5, &[Accounts, XrpBook, GoalBook, Goal]),
    (5, &[XrpBook, GoalBook, Accounts, Goal]),
    (5, &[Books, GoalBook, Goal]),
    (6, &[Accounts, XrpBook, GoalBook, Accounts, Goal]),
    (6, &[Accounts, Books, GoalBook, Goal]),
    (7, &[Accounts, Accounts, GoalBook, Goal]),
    (8, &[Accounts, Accounts, GoalBook, Accounts, Goal]),
    (9, &[Accounts, GoalBook, Accounts, Accounts, Goal]),
];

/// Paths that a prefix of a pattern led to.
type Known = BTreeMap<Vec<Link>, Vec<Path>>;

fn has_seen(path: &[Node], node: &Node) -> bool {
    path.iter().any(|seen| {
        seen.account == node.account && seen.currency == node.currency && seen.issuer == node.issuer
    })
}

fn push_new(paths: &mut Vec<Path>, path: Path) {
    if !paths.contains(&path) {
        paths.push(path);
    }
}

impl Finder<'_> {
    pub(super) fn search_patterns(&mut self, level: u32) {
        let goal = self.goal_currency();
        let patterns: &[Pattern] = match (self.currency == XRP_CURRENCY, goal == XRP_CURRENCY) {
            (true, true) => &[],
            (true, false) => &FROM_XRP,
            (false, true) => &TO_XRP,
            (false, false) if self.currency == goal => &SAME_CURRENCY,
            (false, false) => &OTHER_CURRENCY,
        };
        let mut known = Known::from([(Vec::new(), vec![Path::new()])]);
        for (_, pattern) in patterns.iter().filter(|(from, _)| *from <= level) {
            self.follow(pattern, &mut known);
            if self.complete.len() > COMPLETE_MAX {
                return;
            }
        }
    }

    fn goal_currency(&self) -> Currency {
        self.wish.deliver.asset.currency().unwrap_or(XRP_CURRENCY)
    }

    /// The partial paths that a pattern leads to; the complete ones are kept on the way.
    fn follow(&mut self, pattern: &[Link], known: &mut Known) -> Vec<Path> {
        if let Some(paths) = known.get(pattern) {
            return paths.clone();
        }
        let Some((last, before)) = pattern.split_last() else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for path in self.follow(before, known) {
            match last {
                Link::Accounts => self.add_accounts(&path, false, &mut out),
                Link::Goal => self.add_accounts(&path, true, &mut out),
                Link::Books => self.add_books(&path, false, &mut out),
                Link::GoalBook => self.add_books(&path, true, &mut out),
                Link::XrpBook => self.add_xrp_book(&path, &mut out),
            }
        }
        known.insert(pattern.to_vec(), out.clone());
        out
    }

    /// Where a path has come to.
    fn end(&self, path: &[Node]) -> Node {
        let issuer = if self.currency == XRP_CURRENCY {
            XRP_ACCOUNT
        } else {
            self.wish.source
        };
        path.last().copied().unwrap_or(Node {
            kind: NodeKind::Account,
            account: self.wish.source,
            currency: self.currency,
            issuer,
        })
    }

    /// Whether the last account of a path lets nothing from the one before it ripple on unless it leaves
    /// by a line without that flag.
    fn is_no_ripple_out(&self, path: &[Node]) -> bool {
        let Some((last, before)) = path.split_last() else {
            return false;
        };
        if last.kind != NodeKind::Account {
            return false;
        }
        let from = before.last().map_or(self.wish.source, |node| node.account);
        Line::read(self.ground.view, from, last.account, &last.currency)
            .is_some_and(|line| line.has(line.side(last.account).no_ripple))
    }

    fn add_accounts(&mut self, path: &[Node], only_goal: bool, out: &mut Vec<Path>) {
        let end = self.end(path);
        if end.currency == XRP_CURRENCY {
            if self.wish.deliver.asset.is_xrp() && !path.is_empty() {
                push_new(&mut self.complete, path.to_vec());
            }
            return;
        }
        let view = self.ground.view;
        let Some(root) = view.account(end.account) else {
            return;
        };
        let needs_auth = root.has(lsf::REQUIRE_AUTH);
        let is_no_ripple = self.is_no_ripple_out(path);
        let mut candidates: Vec<(u32, AccountId)> = Vec::new();
        for line in line::all(view, end.account).filter(|line| line.currency == end.currency) {
            let peer = line.other(end.account);
            let is_goal = peer == self.goal;
            let skips_issuer = self.goal != self.wish.destination && peer == self.wish.destination;
            let seen = has_seen(path, &Node::account(peer, end.currency));
            let blocked = is_no_ripple && line.has(line.side(end.account).no_ripple);
            if skips_issuer
                || (only_goal && !is_goal)
                || seen
                || blocked
                || !has_credit(&line, end.account, needs_auth)
            {
                continue;
            }
            if is_goal && end.currency == self.goal_currency() {
                if !path.is_empty() {
                    push_new(&mut self.complete, path.to_vec());
                }
            } else if is_goal {
                candidates.push((GOAL_WEIGHT, peer));
            } else if peer != self.wish.source {
                let is_incoming = line.has(line.side(peer).no_ripple);
                match self.ways_out(peer, end.currency, is_incoming) {
                    0 => {}
                    ways => candidates.push((ways, peer)),
                }
            }
        }
        candidates.sort_by_key(|(ways, id)| (std::cmp::Reverse(*ways), *id));
        let most = if end.account == self.wish.source {
            ACCOUNTS_FROM_SOURCE_MAX
        } else {
            ACCOUNTS_MAX
        };
        for (_, id) in candidates.into_iter().take(most) {
            let mut longer = path.to_vec();
            longer.push(Node::account(id, end.currency));
            push_new(out, longer);
        }
    }

    /// How many ways lead on from an account in one currency.
    fn ways_out(&mut self, id: AccountId, currency: Currency, is_incoming: bool) -> u32 {
        if let Some(known) = self.ways_out.get(&(id, currency)) {
            return *known;
        }
        let view = self.ground.view;
        let mut count = 0;
        if let Some(root) = view.account(id)
            && !is_globally_frozen(view, id)
        {
            let asset = Asset::token(currency, id);
            let books = self.books.get(&asset).map_or(0, |gets| gets.len());
            count = u32::try_from(books).unwrap_or(u32::MAX);
            let needs_auth = root.has(lsf::REQUIRE_AUTH);
            for line in line::all(view, id).filter(|line| line.currency == currency) {
                let peer = line.other(id);
                let closed = is_incoming && line.has(line.side(id).no_ripple);
                if closed || !has_credit(&line, id, needs_auth) {
                    continue;
                }
                let theirs = line.side(peer);
                if currency == self.goal_currency() && peer == self.goal {
                    count += GOAL_WEIGHT;
                } else if !line.has(theirs.no_ripple) && !line.has(theirs.freeze) {
                    count += 1;
                }
            }
        }
        self.ways_out.insert((id, currency), count);
        count
    }

    fn add_xrp_book(&self, path: &[Node], out: &mut Vec<Path>) {
        let end = self.end(path);
        let from = Asset::token(end.currency, end.issuer);
        let is_book = self
            .books
            .get(&from)
            .is_some_and(|gets| gets.contains(&Asset::Xrp));
        if end.currency != XRP_CURRENCY && is_book {
            let mut longer = path.to_vec();
            longer.push(Node::book(&Asset::Xrp));
            push_new(out, longer);
        }
    }

    fn add_books(&mut self, path: &[Node], only_goal: bool, out: &mut Vec<Path>) {
        let end = self.end(path);
        let from = Asset::token(end.currency, end.issuer);
        let origin = Asset::token(self.currency, self.wish.source);
        let gets: Vec<Asset> = self
            .books
            .get(&from)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        for asset in gets {
            let node = Node::book(&asset);
            let is_other = only_goal && asset.currency() != Some(self.goal_currency());
            if has_seen(path, &node) || asset == origin || is_other {
                continue;
            }
            let mut longer = path.to_vec();
            if asset.is_xrp() {
                longer.push(node);
                if self.wish.deliver.asset.is_xrp() {
                    push_new(&mut self.complete, longer);
                } else {
                    out.push(longer);
                }
                continue;
            }
            let issuer = Node::account(asset.issuer(), node.currency);
            if has_seen(path, &issuer) {
                continue;
            }
            self.add_token_book(longer, node, issuer, out);
        }
    }

    fn add_token_book(&mut self, mut path: Path, book: Node, issuer: Node, out: &mut Vec<Path>) {
        let is_redundant = matches!(
            path.as_slice(),
            [.., offer, account]
                if account.kind == NodeKind::Account && offer.kind != NodeKind::Account
        );
        if is_redundant {
            // Between two books an account need not be named.
            path.pop();
        }
        path.push(book);
        let is_wanted = book.currency == self.goal_currency();
        let skips_issuer =
            self.goal != self.wish.destination && book.issuer == self.wish.destination;
        if is_wanted && skips_issuer {
            return;
        }
        if is_wanted && book.issuer == self.goal {
            push_new(&mut self.complete, path);
        } else {
            path.push(issuer);
            push_new(out, path);
        }
    }
}

/// Whether an account can send anything over a line.
fn has_credit(line: &Line, account: AccountId, needs_auth: bool) -> bool {
    let (held, room) = (line.balance(account), line.limit(line.other(account)));
    if held.is_positive() {
        return true;
    }
    let is_authorised = !needs_auth || line.has(line.side(account).auth);
    !room.is_zero() && held.negated() < room && is_authorised
}
