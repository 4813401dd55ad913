use super::*;

fn tx(sequence: u32, fee: u64, last_ledger: u32, body: Body) -> Tx {
    Tx {
        slot: Slot::Sequence(sequence),
        fee,
        last_ledger,
        body,
    }
}

fn pay(taker: Taker, amount: u64) -> Body {
    Body::Pay {
        to: account_of(taker, 1),
        tag: None,
        amount,
        marker: marker_of("shop", "k"),
    }
}

fn results(chain: &mut Chain) -> Vec<String> {
    let entries = chain.close(&mut Prng::new(1), None);
    entries.iter().map(|entry| entry.result.clone()).collect()
}

const FAR: u32 = FIRST + 100;

#[test]
fn of_rivals_on_one_sequence_the_ledger_takes_one() {
    let mut chain = Chain::new(100_000_000);
    chain.take(tx(FIRST_SEQUENCE, 10, FAR, Body::Noop));
    chain.take(tx(FIRST_SEQUENCE, 13, FAR, Body::Noop));
    assert_eq!(results(&mut chain), ["tesSUCCESS"]);
    assert_eq!(chain.root.sequence, FIRST_SEQUENCE + 1);
    assert!(results(&mut chain).is_empty(), "the loser never enters");
}

#[test]
fn a_hole_starves_what_is_behind_it_until_it_is_filled() {
    let mut chain = Chain::new(100_000_000);
    chain.take(tx(FIRST_SEQUENCE + 1, 10, FAR, Body::Noop));
    assert!(results(&mut chain).is_empty());
    chain.take(tx(FIRST_SEQUENCE, 10, FAR, Body::Noop));
    assert_eq!(results(&mut chain).len(), 2);
}

#[test]
fn the_last_ledger_and_the_price_are_kept_to() {
    let mut chain = Chain::new(100_000_000);
    chain.take(tx(FIRST_SEQUENCE, 10, FIRST, Body::Noop));
    assert!(results(&mut chain).is_empty(), "its last ledger is past");
    chain.price = 500;
    chain.take(tx(FIRST_SEQUENCE, 10, FAR, Body::Noop));
    assert!(results(&mut chain).is_empty(), "too cheap");
    chain.price = BASE_FEE;
    assert_eq!(results(&mut chain).len(), 1, "it waited for a lower price");
}

#[test]
fn a_provisional_success_may_be_a_failure_in_earnest() {
    let mut chain = Chain::new(100_000_000);
    let fickle = tx(FIRST_SEQUENCE, 10, FAR, pay(Taker::Fickle, 5));
    assert_eq!(chain.answer(&fickle, FIRST + 1), "tesSUCCESS");
    chain.take(fickle);
    assert_eq!(results(&mut chain), ["tecNO_PERMISSION"]);
}

#[test]
fn money_is_conserved_to_the_drop() {
    let mut chain = Chain::new(50_000_000);
    let bodies = [
        (pay(Taker::Plain, 3_000_000), "tesSUCCESS"),
        (pay(Taker::NeedsTag, 1), "tecDST_TAG_NEEDED"),
        (pay(Taker::Unfunded, 1), "tecNO_DST_INSUF_XRP"),
        (pay(Taker::Plain, 90_000_000), "tecUNFUNDED_PAYMENT"),
        (Body::Noop, "tesSUCCESS"),
    ];
    for (sequence, (body, _)) in (FIRST_SEQUENCE..).zip(&bodies) {
        chain.take(tx(sequence, 10, FAR, *body));
    }
    assert_eq!(results(&mut chain), bodies.map(|(_, result)| result));
    assert_eq!(chain.root.balance.get(), 50_000_000 - 3_000_000 - 50);
    let _ = chain.close(&mut Prng::new(1), Some(7));
    assert_eq!(chain.root.balance.get(), 47_000_000 - 50 + 7);
}

#[test]
fn what_no_server_takes_never_reaches_the_network() {
    let mut chain = Chain::new(50_000_000);
    let malformed = tx(FIRST_SEQUENCE, 10, FAR, pay(Taker::Malformed, 5));
    assert_eq!(chain.answer(&malformed, FIRST + 1), "temREDUNDANT");
    chain.take(malformed);
    assert!(results(&mut chain).is_empty());
}
