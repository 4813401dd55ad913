use super::*;
use proptest::prelude::*;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn drops(n: u64) -> Drops {
    Drops::new(n).unwrap()
}

fn works(name: &str, payable: u64, count: u64, given: u64) -> Candidate<'_> {
    Candidate {
        name,
        standing: Standing::Works {
            payable: drops(payable),
        },
        load: Load {
            count,
            drops: u128::from(given),
        },
        max_fee: drops(10),
    }
}

fn with(standing: Standing, candidate: Candidate<'_>) -> Candidate<'_> {
    Candidate {
        standing,
        ..candidate
    }
}

#[test]
fn the_rule_in_the_order_in_which_it_decides() {
    let amount = drops(100);
    let fits = works("fits", 10_000, 7, 700);
    let busier = works("busier", 50_000, 8, 800);
    let richer = works("richer", 20_000, 7, 700);
    let crowded = works("crowded", 500, 4, 400);
    let more_crowded = works("more_crowded", 500, 3, 4_000);
    let unknown = with(Standing::Unknown, works("unknown", 0, 0, 0));
    let poor = works("poor", 109, 0, 0);
    let poorer = works("a_poorer", 50, 0, 0);
    let halted = with(Standing::Halted, works("halted", 0, 0, 0));
    let in_order = [
        richer,
        fits,
        busier,
        crowded,
        more_crowded,
        unknown,
        poor,
        poorer,
        halted,
    ];
    for from in 0..in_order.len() {
        let best = in_order[from].name;
        assert_eq!(choose(&in_order[from..], amount), Some(best));
    }
    assert_eq!(choose(&[], amount), None);
}

#[test]
fn money_for_the_fee_of_everything_that_waits_is_kept_back() {
    let (amount, other) = (drops(100), works("z", 10_000, 50, 0));
    // Three payments of 300 together and this one, each with a fee of at most 10.
    let exact = works("a", 440, 3, 300);
    assert_eq!(choose(&[exact, other], amount), Some("a"));
    let short = works("a", 439, 3, 300);
    assert_eq!(choose(&[short, other], amount), Some("z"));
}

fn any_candidates() -> impl Strategy<Value = Vec<Candidate<'static>>> {
    let standing = prop_oneof![
        4 => (0_u64..3_000).prop_map(|n| Standing::Works { payable: drops(n) }),
        1 => Just(Standing::Unknown),
        1 => Just(Standing::Halted),
    ];
    let one = (standing, 0_u64..6, 0_u128..2_000).prop_map(|(standing, count, drops)| {
        let load = Load { count, drops };
        (standing, load)
    });
    proptest::collection::vec(one, 1..=NAMES.len()).prop_map(|found| {
        let named = found.into_iter().zip(NAMES);
        named
            .map(|((standing, load), name)| Candidate {
                name,
                standing,
                load,
                max_fee: drops(10),
            })
            .collect()
    })
}

/// Whether the wallet can pay the amount after everything that it was given.
fn can_pay(candidate: &Candidate<'_>, amount: u64) -> bool {
    let Standing::Works { payable } = candidate.standing else {
        return false;
    };
    let attempts = u128::from(candidate.load.count + 1);
    u128::from(payable.get()) >= candidate.load.drops + u128::from(amount) + 10 * attempts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Money decides first, and no order of the wallets does.
    #[test]
    fn whoever_can_pay_pays_and_the_order_of_the_wallets_says_nothing(
        candidates in any_candidates(), amount in 1_u64..2_000, turn in 0_usize..5
    ) {
        let chosen = choose(&candidates, drops(amount)).unwrap();
        let is_chosen = |candidate: &&Candidate<'_>| candidate.name == chosen;
        let best = candidates.iter().find(is_chosen).unwrap();
        if candidates.iter().any(|candidate| can_pay(candidate, amount)) {
            prop_assert!(can_pay(best, amount));
            let fewest = candidates.iter().filter(|c| can_pay(c, amount)).map(|c| c.load.count).min();
            prop_assert_eq!(Some(best.load.count), fewest);
        }
        if best.standing == Standing::Halted {
            prop_assert!(candidates.iter().all(|c| c.standing == Standing::Halted));
        }
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        prop_assert_eq!(choose(&turned, drops(amount)), Some(chosen));
        turned.reverse();
        prop_assert_eq!(choose(&turned, drops(amount)), Some(chosen));
    }

    /// What is given to a wallet that was not chosen does not make it the better one.
    #[test]
    fn more_work_never_makes_a_wallet_more_likely(
        candidates in any_candidates(), amount in 1_u64..2_000, more in 1_u64..500
    ) {
        let chosen = choose(&candidates, drops(amount)).unwrap();
        let mut busier = candidates.clone();
        for other in busier.iter_mut().filter(|other| other.name != chosen) {
            other.load.add(drops(more));
        }
        prop_assert_eq!(choose(&busier, drops(amount)), Some(chosen));
    }

    /// Wallets that can pay are used alike, and none is given more than it holds while another has
    /// room.
    #[test]
    fn a_stream_of_payments_is_spread_and_overdraws_nobody(
        payable in proptest::collection::vec(0_u64..20_000, 2..=5), payments in 1_u64..60
    ) {
        let amount = drops(90);
        let mut candidates: Vec<Candidate<'_>> = payable
            .iter()
            .zip(NAMES)
            .map(|(payable, name)| works(name, *payable, 0, 0))
            .collect();
        for _ in 0..payments {
            let room = candidates.iter().any(|candidate| can_pay(candidate, 90));
            let chosen = choose(&candidates, amount).unwrap();
            let candidate = candidates.iter_mut().find(|c| c.name == chosen).unwrap();
            prop_assert_eq!(can_pay(candidate, 90), room);
            candidate.load.add(amount);
        }
        let open = candidates.iter().filter(|candidate| can_pay(candidate, 90));
        let counts: Vec<u64> = open.map(|candidate| candidate.load.count).collect();
        if let (Some(most), Some(least)) = (counts.iter().max(), counts.iter().min()) {
            prop_assert!(most - least <= 1, "{counts:?}");
        }
    }
}

#[test]
fn a_load_is_the_sum_of_what_was_given() {
    let mut load = Load::default();
    load.add(drops(7));
    load.add(drops(35));
    let before = Load {
        count: 1,
        drops: 100,
    };
    let both = Load {
        count: 3,
        drops: 142,
    };
    assert_eq!(before.and(load), both);
}
