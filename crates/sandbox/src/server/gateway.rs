//! Methods for issuers: what they owe and to whom, and whether their lines let value through.

use super::account::{asked, bare_not_found};
use super::dispatch::{Answer, Call};
use super::frame::RpcError;
use super::lines::{Bounds, page_length};
use super::render;
use crate::ledger::amount::{Amount, Value as Number};
use crate::ledger::entry::lsf;
use crate::ledger::rules::Fees;
use crate::ledger::rules::line::{self, Line};
use crate::ledger::rules::trust_set::{TF_CLEAR_NO_RIPPLE, TF_SET_NO_RIPPLE};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

/// What is owed to accounts or held of them, each as the lists that rippled prints.
type ByAccount = BTreeMap<AccountId, Vec<Value>>;

/// An issuer's balances, sorted.
#[derive(Default)]
struct Balances {
    obligations: BTreeMap<[u8; 20], TokenValue>,
    hot: ByAccount,
    assets: ByAccount,
    frozen: ByAccount,
}

impl Balances {
    fn add(&mut self, line: &Line, account: AccountId, hot: &BTreeSet<AccountId>) {
        let balance = line.balance(account);
        if balance.is_zero() {
            return;
        }
        let peer = line.other(account);
        let entry = |value: TokenValue| json!({ "currency": render::currency(&line.currency), "value": value.to_string() });
        let lists = if hot.contains(&peer) {
            Some((&mut self.hot, balance.negated()))
        } else if balance.is_positive() {
            Some((&mut self.assets, balance))
        } else if line.has(line.side(account).freeze) {
            Some((&mut self.frozen, balance.negated()))
        } else {
            None
        };
        if let Some((lists, value)) = lists {
            lists.entry(peer).or_default().push(entry(value));
            return;
        }
        let owed = self.obligations.entry(line.currency).or_default();
        let sum = Number::Token(*owed).minus(Number::Token(balance));
        // A sum that the ledger cannot hold is shown as the most that it can.
        *owed = sum.map_or_else(|_| most(), |sum| sum.token());
    }
}

fn most() -> TokenValue {
    TokenValue::new(false, 9_999_999_999_999_999, 80).unwrap_or_default()
}

/// The accounts that a request names as the issuer's own.
fn hot_wallets(call: &Call<'_>) -> Option<BTreeSet<AccountId>> {
    let one = |value: &Value| value.as_str()?.parse().ok();
    match call.params.get("hotwallet") {
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(items)) => items.iter().map(one).collect(),
        Some(value) => one(value).map(|id| BTreeSet::from([id])),
    }
}

pub(super) fn gateway_balances(call: &Call<'_>) -> Answer {
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let mut out = asked.selected.fields();
    out.insert("account".to_owned(), json!(asked.id));
    let Some(hot) = hot_wallets(call) else {
        let error = if call.version > 1 {
            RpcError::invalid_params()
        } else {
            RpcError::invalid_hotwallet()
        };
        return Err(error.with_all(out));
    };
    let mut balances = Balances::default();
    asked.selected.with_state(&net, call.server(), |view| {
        line::all(view, asked.id).for_each(|line| balances.add(&line, asked.id, &hot));
    })?;
    if !balances.obligations.is_empty() {
        let owed: Map<String, Value> = balances
            .obligations
            .iter()
            .map(|(code, value)| (render::currency(code), json!(value.to_string())))
            .collect();
        out.insert("obligations".to_owned(), Value::Object(owed));
    }
    for (name, lists) in [
        ("balances", balances.hot),
        ("frozen_balances", balances.frozen),
        ("assets", balances.assets),
    ] {
        if !lists.is_empty() {
            let lists: Map<String, Value> = lists
                .into_iter()
                .map(|(id, list)| (id.to_string(), json!(list)))
                .collect();
            out.insert(name.to_owned(), Value::Object(lists));
        }
    }
    Ok(Value::Object(out))
}

const PROBLEMS_PAGE: Bounds = Bounds {
    least: 10,
    usual: 300,
    most: 400,
};
const ASF_DEFAULT_RIPPLE: u32 = 8;

/// Who asks whether its lines are as they should be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Value is to ripple through an issuer.
    Gateway,
    /// It is not to ripple through anybody else.
    User,
}

fn role(call: &Call<'_>) -> Result<Role, RpcError> {
    if !call.params.contains_key("account") {
        return Err(RpcError::missing("account"));
    }
    let role = call
        .params
        .get("role")
        .ok_or_else(|| RpcError::missing("role"))?;
    if !call.params.get("account").is_some_and(Value::is_string) {
        return Err(RpcError::invalid_field("account"));
    }
    match role.as_str() {
        Some("gateway") => Ok(Role::Gateway),
        Some("user") => Ok(Role::User),
        _ => Err(RpcError::invalid_field("role")),
    }
}

/// What is not as it should be, and the transactions that would mend it.
struct Findings {
    account: AccountId,
    sequence: u32,
    problems: Vec<String>,
    transactions: Vec<Value>,
}

impl Findings {
    fn add(&mut self, problem: String, mut mend: Value) {
        mend["Account"] = json!(self.account);
        mend["Fee"] = json!(Fees::MODEL.base);
        mend["Sequence"] = json!(self.sequence);
        self.sequence = self.sequence.saturating_add(1);
        self.problems.push(problem);
        self.transactions.push(mend);
    }

    fn check_line(&mut self, line: &Line, role: Role) {
        let forbids = line.has(line.side(self.account).no_ripple);
        let (words, flags) = match (role, forbids) {
            (Role::Gateway, true) => ("You should clear", TF_CLEAR_NO_RIPPLE),
            (Role::User, false) => ("You should probably set", TF_SET_NO_RIPPLE),
            _ => return,
        };
        let peer = line.other(self.account);
        let code = render::currency(&line.currency);
        let limit = Amount::token(line.limit(self.account), line.currency, peer);
        self.add(
            format!("{words} the no ripple flag on your {code} line to {peer}"),
            json!({
                "TransactionType": "TrustSet",
                "LimitAmount": render::amount(&limit),
                "Flags": flags,
            }),
        );
    }
}

pub(super) fn noripple_check(call: &Call<'_>) -> Answer {
    let role = role(call)?;
    let limit = page_length(call, &PROBLEMS_PAGE)?;
    let wants_transactions = call.truthy("transactions");
    let strict = call.version > 1;
    if strict
        && call
            .params
            .get("transactions")
            .is_some_and(|value| !value.is_boolean())
    {
        return Err(RpcError::invalid_field("transactions"));
    }
    let net = call.shared.net();
    let asked = asked(call, &net).map_err(bare_not_found)?;
    let mut found = Findings {
        account: asked.id,
        sequence: asked.root.sequence,
        problems: Vec::new(),
        transactions: Vec::new(),
    };
    match (role, asked.root.has(lsf::DEFAULT_RIPPLE)) {
        (Role::User, true) => found.problems.push(
            "You appear to have set your default ripple flag even though you are not a gateway. \
             This is not recommended unless you are experimenting"
                .to_owned(),
        ),
        (Role::Gateway, false) => found.add(
            "You should immediately set your default ripple flag".to_owned(),
            json!({ "TransactionType": "AccountSet", "SetFlag": ASF_DEFAULT_RIPPLE }),
        ),
        _ => {}
    }
    let most = found
        .problems
        .len()
        .saturating_add(usize::try_from(limit).unwrap_or(usize::MAX));
    asked.selected.with_state(&net, call.server(), |view| {
        for line in line::all(view, asked.id) {
            if found.problems.len() >= most {
                break;
            }
            found.check_line(&line, role);
        }
    })?;
    let mut out = asked.selected.fields();
    out.insert("problems".to_owned(), json!(found.problems));
    if wants_transactions {
        out.insert("transactions".to_owned(), json!(found.transactions));
    }
    Ok(Value::Object(out))
}
