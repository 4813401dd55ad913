//! Every single falsification of books or history that the comparison has to find.

use super::life::{FIRST, Life, OURS, drops};
use super::*;
use crate::amount::{Amount, Asset};
use crate::deposit::Counted;
use crate::ids::LedgerHash;
use crate::payment::{AttemptState, Failure, Proof, State};

pub(super) fn more(amount: &mut Drops) {
    *amount = drops(amount.get() + 1);
}

/// One falsification of books or history; false where the life has nothing to falsify so.
pub(super) fn falsify(life: &mut Life, what: usize, place: usize) -> bool {
    let Life { books, ledger, .. } = life;
    let row = |rows: usize| (rows > 0).then(|| place % rows.max(1));
    let entry = row(books.entries.len());
    let held = row(ledger.len());
    let came = row(books.deposits.len());
    let claims: Vec<usize> = (0..books.payments.len()).collect();
    let signed: Vec<usize> = claims
        .iter()
        .copied()
        .filter(|&at| !books.payments[at].payment.attempts.is_empty())
        .collect();
    let paid: Vec<usize> = claims
        .iter()
        .copied()
        .filter(|&at| matches!(books.payments[at].payment.state, State::Succeeded { .. }))
        .collect();
    let of = |list: &[usize]| list.get(place % list.len().max(1)).copied();
    match what {
        0 => entry.map(|at| drop(books.entries.remove(at))),
        1 => entry.map(|at| {
            let mut twin = books.entries[at].clone();
            twin.entry.tx_index += 1;
            twin.change = 0;
            books.entries.insert(at + 1, twin);
        }),
        2 => entry.map(|at| books.entries[at].change += 1),
        3 => entry.map(|at| more(&mut books.entries[at].entry.fee)),
        4 => entry.map(|at| books.entries[at].entry.result = "tecPATH_DRY".to_owned()),
        5 => entry.map(|at| books.entries[at].entry.hash = TxHash([250; 32])),
        6 => entry.and_then(|at| {
            let root = books.entries[at].entry.root_after.as_mut()?;
            more(&mut root.balance);
            Some(())
        }),
        7 => entry.map(|at| {
            books.entries[at].entry.delivered = Delivered::Xrp(drops(77_777));
        }),
        8 => {
            books.opening += 1;
            Some(())
        }
        9 => held.map(|at| drop(ledger.remove(at))),
        10 => held.map(|at| ledger[at].result = "tecPATH_DRY".to_owned()),
        11 => held.map(|at| ledger[at].delivered = Delivered::Xrp(drops(88_888))),
        12 => {
            life.balance += 1;
            Some(())
        }
        13 => {
            // Somebody else uses the key, and the journal has it.
            life.acts += 1;
            life.books.to = life.books.to.plus(1);
            let hash = life.hash(200);
            life.ours(hash, "tesSUCCESS", 5);
            Some(())
        }
        14 => of(&paid).map(|at| more(&mut books.payments[at].payment.order.amount)),
        15 => of(&paid).map(|at| {
            if let State::Succeeded { delivered, .. } = &mut books.payments[at].payment.state {
                more(delivered);
            }
        }),
        16 => of(&paid).map(|at| books.payments[at].payment.order.destination = OURS),
        17 => of(&paid).map(|at| books.payments[at].payment.order.destination_tag = None),
        18 => of(&paid).map(|at| {
            books.payments[at].payment.state = State::Expired { proof: None };
        }),
        19 => of(&paid).map(|at| {
            if let State::Succeeded { tx_hash, .. } = &mut books.payments[at].payment.state {
                *tx_hash = TxHash([251; 32]);
            }
        }),
        20 => of(&paid).map(|at| {
            if let State::Succeeded { proof, .. } = &mut books.payments[at].payment.state
                && let Proof::Validated { ledger_index, .. } = proof
            {
                *ledger_index = ledger_index.plus(1);
            }
        }),
        21 => of(&signed).map(|at| {
            let attempts = &mut books.payments[at].payment.attempts;
            let last = attempts.last_mut().unwrap();
            last.state = match &last.state {
                AttemptState::Validated { .. } => AttemptState::Unknown,
                _ => AttemptState::Validated {
                    result: "tesSUCCESS".to_owned(),
                    ledger_index: FIRST.plus(1),
                },
            };
        }),
        22 => of(&signed).map(|at| {
            let last = books.payments[at].payment.attempts.last_mut().unwrap();
            last.hash = TxHash([252; 32]);
            last.state = AttemptState::Validated {
                result: "tesSUCCESS".to_owned(),
                ledger_index: FIRST.plus(1),
            };
        }),
        23 => of(&paid).map(|at| drop(books.payments.remove(at))),
        24 => row(books.chores.len()).map(|at| drop(books.chores.remove(at))),
        25 => row(books.chores.len()).map(|at| more(&mut books.chores[at].fee)),
        26 => {
            let hash = books.remembered.pop_first();
            hash.map(drop)
        }
        27 => of(&paid).map(|at| {
            // The same payment once more, past its attempts, with its marker.
            let marker = books.payments[at].marker;
            let twin = ledger.iter().find(|entry| entry.marker == Some(marker));
            let mut twin = twin.unwrap().clone();
            twin.hash = TxHash([253; 32]);
            books.remembered.insert(twin.hash);
            twin.tx_index += 1;
            twin.root_after = None;
            let change = 0;
            ledger.push(twin.clone());
            books.entries.push(Booked {
                entry: twin,
                change,
            });
        }),
        28 => of(&claims).map(|at| {
            let payment = &mut books.payments[at].payment;
            if let State::Failed { failure, .. } = &mut payment.state {
                failure.ledger_code = "tecPATH_DRY".to_owned();
            } else if let State::Succeeded { proof, .. } = payment.state.clone() {
                let failure = Failure {
                    code: String::new(),
                    message: String::new(),
                    ledger_code: String::new(),
                    fee_charged: false,
                };
                payment.state = State::Failed { failure, proof };
            } else {
                // A payment that did not happen is said to be what happened to another.
                payment.state = State::Succeeded {
                    delivered: payment.order.amount,
                    tx_hash: TxHash([1; 32]),
                    proof: Proof::Validated {
                        ledger_index: FIRST.plus(1),
                        ledger_hash: LedgerHash([1; 32]),
                        servers: Vec::new(),
                    },
                };
            }
        }),
        29 => came.map(|at| {
            let _ = books.deposits.remove(at);
        }),
        30 => came.map(|at| books.deposits.push(books.deposits[at].clone())),
        31 => came.map(|at| {
            books.deposits[at].amount = Counted::Exact(Amount::Xrp(drops(501)));
        }),
        32 => came.map(|at| {
            books.deposits[at].amount = Counted::Unknown(Some(Asset::Token {
                currency: "USD".parse().unwrap(),
                issuer: OURS,
            }))
        }),
        33 => came.map(|at| books.deposits[at].hash = TxHash([249; 32])),
        34 => came.map(|at| books.deposits[at].destination_tag = None),
        35 => came.map(|at| books.deposits[at].ledger_index = FIRST),
        _ => unreachable!("no such falsification"),
    }
    .is_some()
}

/// How many kinds of them there are.
pub(super) const FALSIFICATIONS: usize = 36;
