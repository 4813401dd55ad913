//! Random networks of lines: whatever is paid over them, no money is made and no limit is broken.

use super::{Element, Purpose, Request, Sandbox, flow};
use crate::ledger::amount::{Amount, Currency, QUALITY_ONE, Value};
use crate::ledger::entry::{Account, lsf};
use crate::ledger::rules::line::{Line, NewLine, all, create};
use crate::ledger::rules::{Fees, Mode, Setting};
use crate::ledger::state::{Changes, Read, State};
use proptest::prelude::*;
use xrpayd_core::address::AccountId;
use xrpayd_core::token::TokenValue;

const USD: Currency = *b"\0\0\0\0\0\0\0\0\0\0\0\0USD\0\0\0\0\0";
const ACCOUNTS: u8 = 4;

fn id(number: u8) -> AccountId {
    AccountId([number + 1; 20])
}

fn token(units: u64) -> TokenValue {
    TokenValue::new(false, units, 0).unwrap()
}

/// A line of one account with another: its limit, and how much of that it holds, in percent.
type Trust = (u8, u8, u64, u64);

/// The state with these lines; of two between the same accounts the first counts.
fn network(trusts: &[Trust], rates: &[u32]) -> State {
    let mut state = State::default();
    let map = {
        let mut changes = Changes::over(&state);
        for number in 0..ACCOUNTS {
            let mut root = Account::new(id(number), 1);
            root.balance = 1_000_000_000;
            root.flags = lsf::DEFAULT_RIPPLE;
            let rate = rates[usize::from(number)];
            root.extra_mut().transfer_rate = (rate != QUALITY_ONE).then_some(rate);
            changes.put_account(root);
        }
        for &(from, to, limit, percent) in trusts {
            let (account, peer) = (id(from % ACCOUNTS), id(to % ACCOUNTS));
            if account == peer || Line::read(&changes, account, peer, &USD).is_some() {
                continue;
            }
            let new = NewLine {
                account,
                peer,
                currency: USD,
                balance: token(limit * percent / 100),
                limit: token(limit),
                flags: 0,
                quality_in: 0,
                quality_out: 0,
            };
            create(&mut changes, &new).unwrap();
        }
        changes.map
    };
    for (key, change) in map {
        state.put(key, change.now);
    }
    state
}

/// What an account has over all its lines.
fn worth(view: &dyn Read, account: AccountId) -> Value {
    all(view, account).fold(Value::Token(TokenValue::ZERO), |sum, line| {
        sum.plus(Value::Token(line.balance(account))).unwrap()
    })
}

fn trusts() -> impl Strategy<Value = Vec<Trust>> {
    let trust = (0..ACCOUNTS, 0..ACCOUNTS, 1..1000_u64, 0..=100_u64);
    proptest::collection::vec(trust, 1..8)
}

fn paths() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(0..ACCOUNTS, 1..3), 0..3)
}

proptest! {
    #[test]
    fn no_payment_makes_money_or_breaks_a_limit(
        trusts in trusts(),
        paths in paths(),
        rates in proptest::collection::vec(prop_oneof![Just(QUALITY_ONE), QUALITY_ONE..2 * QUALITY_ONE], 4),
        units in 1..2000_u64,
        is_partial: bool,
    ) {
        let (source, destination) = (id(0), id(1));
        let state = network(&trusts, &rates);
        let setting = Setting {
            ledger: 2,
            parent_close_time: 0,
            network_id: 0,
            mode: Mode::CloseFinal,
            fees: Fees::MODEL,
            load_factor: 1,
            forced: None,
        };
        let element = |&number: &u8| Element { account: Some(id(number)), ..Element::default() };
        let paths: Vec<Vec<Element>> =
            paths.iter().map(|path| path.iter().map(element).collect()).collect();
        let most = Amount::token(token(units * 2), USD, source);
        let request = Request {
            source,
            destination,
            deliver: Amount::token(token(units), USD, destination),
            send_max: Some(most),
            paths: &paths,
            default_path: true,
            is_partial,
            limit_quality: None,
            purpose: Purpose::Payment,
        };
        let mut sandbox = Sandbox::over(&state, &setting);
        let found = flow(&sandbox, &request);
        let (input, output) = (found.flow.input, found.flow.output);
        let Some(settled) = found.settled else {
            prop_assert!(found.result.is_err());
            return Ok(());
        };
        sandbox.absorb(settled).unwrap();
        prop_assert!(output <= request.deliver.value && input <= most.value);
        prop_assert!(is_partial || output == request.deliver.value);
        // Without qualities, fees are all that may be lost between the two ends.
        prop_assert!(output <= input, "{output:?} came out of {input:?}");
        let tolerance = Value::Token(TokenValue::new(false, 1, -9).unwrap());
        let gained = worth(&sandbox, destination).minus(worth(&state, destination)).unwrap();
        let spent = worth(&state, source).minus(worth(&sandbox, source)).unwrap();
        for (moved, said) in [(gained, output), (spent, input)] {
            let off = moved.minus(said).unwrap();
            prop_assert!(off <= tolerance && -off <= tolerance, "{moved:?} is not {said:?}");
        }
        for number in 0..ACCOUNTS {
            let holder = id(number);
            for line in all(&sandbox, holder) {
                let before = Line::read(&state, holder, line.other(holder), &USD);
                let before = before.map(|line| line.balance(holder)).unwrap_or_default();
                let held = line.balance(holder);
                prop_assert!(held <= line.limit(holder).max(before), "{held} is too much");
            }
        }
    }
}
