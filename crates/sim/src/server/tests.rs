use super::*;
use crate::chain::FIRST_SEQUENCE;
use crate::prng::Prng;
use crate::tx::Body;
use xrpayd_core::payment::Slot;

fn chain() -> Chain {
    let mut chain = Chain::new(100_000_000);
    for sequence in FIRST_SEQUENCE..FIRST_SEQUENCE + 12 {
        chain.take(Tx {
            slot: Slot::Sequence(sequence),
            fee: 10,
            last_ledger: FIRST + 100,
            body: Body::Noop,
        });
        let _ = chain.close(&mut Prng::new(1), None);
    }
    chain
}

fn caught_up(chain: &Chain, lie: Option<Lie>) -> Server {
    let mut server = Server::new(7);
    server.catch_up(chain.last());
    server.lie = lie;
    server
}

#[test]
fn after_an_outage_the_announced_ledger_is_far_ahead_of_the_history() {
    let mut server = Server::new(1);
    server.hear(FIRST + 1);
    assert_eq!(
        (server.word(), server.held),
        (FIRST + 1, (FIRST, FIRST + 1))
    );
    server.hear(FIRST + 30);
    assert_eq!((server.word(), server.held.1), (FIRST + 30, FIRST + 3));
    server.hear(FIRST + 31);
    assert_eq!(server.held.1, FIRST + 5, "it crawls");
}

#[test]
fn a_page_covers_what_the_server_holds_and_says_so() {
    let chain = chain();
    let mut server = caught_up(&chain, None);
    server.held.1 = FIRST + 4;
    let page = server.page(&chain, FIRST + 2, FIRST + 9).unwrap();
    assert_eq!(
        (page.from, page.to, page.entries.len()),
        (FIRST + 2, FIRST + 4, 3)
    );
    assert_eq!(server.page(&chain, FIRST + 5, FIRST + 9), None);
    assert_eq!(server.root(&chain, FIRST + 5), None);
    server.restart(chain.last(), true);
    assert_eq!(
        server.held,
        (chain.last(), chain.last()),
        "it has forgotten"
    );
}

#[test]
fn every_lie_about_the_ledger_shows_beside_an_honest_server() {
    let chain = chain();
    let (from, to) = (FIRST + 1, chain.last());
    let honest = caught_up(&chain, None);
    for lie in LIES {
        let liar = caught_up(&chain, Some(lie));
        let pages = honest.page(&chain, from, to) == liar.page(&chain, from, to);
        let roots = (from..=to).all(|at| honest.root(&chain, at) == liar.root(&chain, at));
        let words = honest.word() == liar.word();
        let told_alike = pages && roots && words;
        assert_eq!(told_alike, lie == Lie::Submit, "{lie:?}");
    }
}

#[test]
fn a_server_that_is_cut_off_answers_and_passes_nothing_on() {
    let chain = chain();
    let mut server = caught_up(&chain, None);
    let tx = Tx {
        slot: Slot::Sequence(chain.ledger(chain.last()).unwrap().root.sequence),
        fee: 10,
        last_ledger: chain.last() + 5,
        body: Body::Noop,
    };
    assert_eq!(server.submit(&chain, &tx), ("tesSUCCESS", true));
    server.cut = true;
    assert_eq!(server.submit(&chain, &tx), ("tesSUCCESS", false));
}
