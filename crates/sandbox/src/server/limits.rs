//! What clients that are not administrators may ask of a server before it warns them and cuts them off.
//!
//! Owns one balance for each address. Every request costs something by its kind; a balance fades over
//! half a minute. Where it is high an answer carries a warning, at most one a second; where it is too
//! high the connection ends, and the address is charged once more so that it does not come right back.
//! Administrators have no balance: nothing here is asked for them.

use super::dispatch::Answer;
use std::collections::HashMap;
use std::net::IpAddr;

/// Seconds over which a balance fades to about a third.
const WINDOW_S: u64 = 32;
/// The balance at which answers carry a warning.
const WARN_AT: u64 = 5_000;
/// The balance at which the connection ends.
const DROP_AT: u64 = 25_000;
/// What a warning itself costs.
const WARNING: u64 = 4_000;
/// What being cut off costs.
const DROPPED: u64 = 6_000;
/// What a request that is not one costs.
pub(crate) const MALFORMED: u64 = 100;
/// What a request costs that does nothing unusual.
const REFERENCE: u64 = 20;
/// What a request costs that broke the method.
const EXCEPTION: u64 = 100;
const MEDIUM: u64 = 400;
const HEAVY: u64 = 3_000;
/// Addresses that are remembered; beyond it those whose balance has faded are forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// Whether an answer must carry the warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    Fine,
    Warned,
}

/// What one address has cost lately, before the division by the window.
#[derive(Debug, Clone, Copy)]
struct Balance {
    sum: u64,
    at_s: u64,
    warned_s: Option<u64>,
}

impl Balance {
    fn fade(&mut self, now_s: u64) {
        let elapsed = now_s.saturating_sub(self.at_s);
        self.at_s = now_s;
        if elapsed > 4 * WINDOW_S {
            self.sum = 0;
        }
        for _ in 0..elapsed.min(4 * WINDOW_S) {
            self.sum -= self.sum.div_ceil(WINDOW_S);
        }
    }

    const fn level(&self) -> u64 {
        self.sum / WINDOW_S
    }
}

/// The balances of one server's clients.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    balances: HashMap<IpAddr, Balance>,
}

impl Consumers {
    fn balance(&mut self, address: IpAddr, now_s: u64) -> &mut Balance {
        if self.balances.len() >= ADDRESSES_MAX && !self.balances.contains_key(&address) {
            self.balances.retain(|_, balance| {
                balance.fade(now_s);
                balance.sum > 0
            });
        }
        let balance = self.balances.entry(address).or_insert(Balance {
            sum: 0,
            at_s: now_s,
            warned_s: None,
        });
        balance.fade(now_s);
        balance
    }

    /// Whether the address has asked for too much and must be cut off. If so it is charged for that.
    pub(crate) fn is_over(&mut self, address: IpAddr, now_s: u64) -> bool {
        let balance = self.balance(address, now_s);
        let over = balance.level() >= DROP_AT;
        if over {
            balance.sum += DROPPED;
        }
        over
    }

    /// Charges an address, and says whether the answer must warn it.
    pub(crate) fn charge(&mut self, address: IpAddr, cost: u64, now_s: u64) -> Load {
        let balance = self.balance(address, now_s);
        balance.sum += cost;
        if balance.level() < WARN_AT || balance.warned_s == Some(now_s) {
            return Load::Fine;
        }
        balance.sum += WARNING;
        balance.warned_s = Some(now_s);
        Load::Warned
    }
}

/// What a request costs, by its method and what became of it.
pub(crate) fn cost(command: &str, answer: &Answer) -> u64 {
    let token = answer.as_ref().err().map(|error| error.token());
    if token == Some("forbidden") {
        return MALFORMED;
    }
    let usual = match command {
        "submit" | "simulate" | "tx_history" => MEDIUM,
        "sign" | "sign_for" | "submit_multisigned" | "path_find" | "ripple_path_find" => HEAVY,
        "account_channels" | "account_lines" | "account_nfts" | "account_objects"
        | "account_offers" | "account_tx" | "book_offers" | "nft_buy_offers"
        | "nft_sell_offers"
            if token.is_none() =>
        {
            MEDIUM
        }
        "gateway_balances" if token.is_none() => HEAVY,
        _ => REFERENCE,
    };
    match token {
        Some("internal") if usual == REFERENCE => EXCEPTION,
        _ => usual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// The requests of the recording: one light and one heavy, in turns.
    fn ask(consumers: &mut Consumers, request: u64, now_s: u64) -> Load {
        let cost = if request % 2 == 1 { MEDIUM } else { HEAVY };
        consumers.charge(HERE, cost, now_s)
    }

    #[test]
    fn a_busy_client_is_warned_once_a_second_and_then_cut_off_as_recorded() {
        let mut consumers = Consumers::default();
        let mut warned = Vec::new();
        let mut request = 0;
        // The recording asked about 120 times a second and was warned at its 94th request.
        while !consumers.is_over(HERE, 100 + request / 120) {
            request += 1;
            if ask(&mut consumers, request, 100 + request / 120) == Load::Warned {
                warned.push(request);
            }
            assert!(request < 1_000, "it must end");
        }
        assert!((94..=98).contains(&warned[0]), "{warned:?}");
        assert!((4..=5).contains(&warned.len()), "{warned:?}");
        assert!((460..=520).contains(&request), "{request}");
    }

    #[test]
    fn whoever_was_cut_off_is_refused_until_the_balance_has_faded() {
        let mut consumers = Consumers::default();
        consumers.charge(HERE, DROP_AT * WINDOW_S, 50);
        assert!(consumers.is_over(HERE, 50));
        assert!(consumers.is_over(HERE, 50));
        assert!(!consumers.is_over(HERE, 60));
        assert_eq!(consumers.charge(HERE, REFERENCE, 60), Load::Warned);
        assert_eq!(consumers.charge(HERE, REFERENCE, 60 + 200), Load::Fine);
    }

    #[test]
    fn each_address_has_a_balance_of_its_own() {
        let mut consumers = Consumers::default();
        consumers.charge(HERE, DROP_AT * WINDOW_S, 50);
        let elsewhere = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
        assert!(!consumers.is_over(elsewhere, 50));
        assert!(consumers.is_over(HERE, 50));
    }
}
