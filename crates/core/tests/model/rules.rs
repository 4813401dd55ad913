//! What must hold in every state, what must come about in the end, and what must be possible: a model
//! in which nothing succeeds, fails or dies would hold every promise.

use super::ledger::{Outcome, Tx, Who};
use super::machine::{PAYMENTS, Payments, World};
use super::store;
use stateright::Property;
use std::collections::BTreeSet;
use xrpayd_core::payment::{AttemptState, Payment, State, Status, invariants};

/// Every property of the model.
pub fn all() -> Vec<Property<Payments>> {
    vec![
        Property::always("no payment is delivered twice", |_, world: &World| {
            (0..PAYMENTS).all(|n| world.truth.deliveries(n) <= 1)
        }),
        Property::always("an end agrees with the ledger", |_, world: &World| {
            world
                .db
                .payments
                .iter()
                .all(|payment| agrees(world, payment))
        }),
        Property::always("an end never changes", |_, world: &World| {
            world.db.payments.iter().all(|payment| {
                let end = world.ends[usize::from(store::number(payment))];
                end.is_none_or(|end| end == payment.status())
            })
        }),
        Property::always(
            "what ended undelivered can never be delivered",
            |_, world: &World| {
                world.db.payments.iter().all(|payment| {
                    let ended = payment.status().is_final();
                    !ended || open_on_the_ledger(world, payment).is_empty()
                })
            },
        ),
        Property::always("no two slots could both pay", |_, world: &World| {
            world.db.payments.iter().all(|payment| {
                let paid = world.truth.deliveries(store::number(payment)) > 0;
                let slots = open_on_the_ledger(world, payment);
                slots.len() <= usize::from(!paid)
            })
        }),
        Property::always("nothing leaves that is not durable", |_, world: &World| {
            world.truth.wire.iter().all(|tx| is_durable(world, tx))
        }),
        Property::always("every payment keeps its invariants", |_, world: &World| {
            world
                .db
                .payments
                .iter()
                .all(|payment| invariants::check(payment).is_ok())
        }),
        Property::always("every payment has its end", |model, world: &World| {
            let ended = |payment: &Payment| payment.status().is_final();
            world.db.payments.iter().all(ended) || model.can_go_on(world)
        }),
        Property::sometimes("both payments succeed", |_, world: &World| {
            world.db.payments.len() == usize::from(PAYMENTS)
                && world
                    .db
                    .payments
                    .iter()
                    .all(|p| p.status() == Status::Succeeded)
        }),
        Property::sometimes(
            "a payment expires that was never signed",
            |_, world: &World| {
                some(world, |p| {
                    p.status() == Status::Expired && p.attempts.is_empty()
                })
            },
        ),
        Property::sometimes("a payment expires by proof", |_, world: &World| {
            some(world, |p| {
                p.status() == Status::Expired && !p.attempts.is_empty()
            })
        }),
        Property::sometimes(
            "a payment succeeds after an attempt that died",
            |_, world: &World| {
                some(world, |p| {
                    p.status() == Status::Succeeded
                        && matches!(p.attempts[0].state, AttemptState::Dead { .. })
                })
            },
        ),
    ]
}

/// What a pause promises, and what it must not stop.
pub fn with_pauses() -> Vec<Property<Payments>> {
    vec![
        Property::always(
            "nothing new is signed while the wallet is paused",
            |_, world: &World| !world.begun_while_paused,
        ),
        Property::sometimes(
            "what is in flight succeeds while paused",
            |_, world: &World| {
                world.db.is_paused && some(world, |p| p.status() == Status::Succeeded)
            },
        ),
        Property::sometimes(
            "an attempt that died while paused is followed by one that pays",
            |_, world: &World| {
                let again = |p: &Payment| p.attempts.len() > 1 && p.status() == Status::Succeeded;
                !world.db.is_paused && world.left.pauses == 0 && some(world, again)
            },
        ),
    ]
}

/// What is possible only within bounds that allow for it.
pub fn with_bad_luck() -> Vec<Property<Payments>> {
    vec![
        Property::sometimes("a payment fails in a ledger", |_, world: &World| {
            some(world, |p| p.status() == Status::Failed)
        }),
        Property::sometimes(
            "a payment succeeds after the wallet was short",
            |_, world: &World| {
                some(world, |p| {
                    let short = |result: &str| result == Outcome::Short.code();
                    let was_short = p.attempts.iter().any(|attempt| {
                    matches!(&attempt.state, AttemptState::Validated { result, .. } if short(result))
                });
                    p.status() == Status::Succeeded && was_short
                })
            },
        ),
    ]
}

/// The same for replacements.
pub fn with_replacements() -> Vec<Property<Payments>> {
    vec![
        Property::sometimes("a replacement wins", |_, world: &World| {
            some(world, |p| won(p) == Some(1))
        }),
        Property::sometimes("the replaced attempt wins", |_, world: &World| {
            some(world, |p| won(p) == Some(0) && p.attempts.len() > 1)
        }),
    ]
}

/// The same for answers.
pub fn with_answers() -> Vec<Property<Payments>> {
    vec![
        Property::sometimes(
            "a payment fails for what every server refuses",
            |_, world: &World| {
                some(
                    world,
                    |p| matches!(&p.state, State::Failed { failure, .. } if !failure.fee_charged),
                )
            },
        ),
        Property::sometimes(
            "a no-op takes the sequence of what was refused",
            |_, world: &World| {
                let plugs = world.truth.applied.iter();
                plugs.filter(|applied| applied.tx.who == Who::Plug).count() > 0
            },
        ),
        Property::sometimes(
            "a payment succeeds that a server refused",
            |_, world: &World| {
                // Only a refusal makes a no-op on the slot of an attempt that is open.
                let paid = world.db.payments.iter().filter_map(|payment| {
                    let paid = payment.status() == Status::Succeeded;
                    payment.validated_attempt().filter(|_| paid)
                });
                let plugs = &world.db.plugs;
                paid.map(|attempt| attempt.slot)
                    .any(|slot| plugs.iter().any(|plug| plug.plug.slot == slot))
            },
        ),
    ]
}

/// The same for a client that calls payments off.
pub fn with_cancels() -> Vec<Property<Payments>> {
    vec![Property::sometimes(
        "a payment is called off",
        |_, world: &World| some(world, |p| p.status() == Status::Cancelled),
    )]
}

fn some(world: &World, is: fn(&Payment) -> bool) -> bool {
    world.db.payments.iter().any(is)
}

/// Which of two attempts on one slot a ledger holds.
fn won(payment: &Payment) -> Option<usize> {
    let delivered = |attempt: &xrpayd_core::payment::Attempt| matches!(&attempt.state, AttemptState::Validated { result, .. } if result == "tesSUCCESS");
    payment.attempts.iter().position(delivered)
}

fn agrees(world: &World, payment: &Payment) -> bool {
    let delivered = world.truth.deliveries(store::number(payment));
    match &payment.state {
        State::Succeeded { tx_hash, .. } => {
            delivered == 1
                && world.truth.applied.iter().any(|applied| {
                    applied.tx == Tx::of(*tx_hash) && applied.outcome == Outcome::Done
                })
        }
        State::Failed { .. }
        | State::Expired { .. }
        | State::Cancelled { .. }
        | State::Rejected => delivered == 0,
        State::AwaitingApproval | State::Queued { .. } | State::InFlight => true,
    }
}

/// The sequences on which the ledger could still take an attempt of the payment.
fn open_on_the_ledger(world: &World, payment: &Payment) -> BTreeSet<u8> {
    let owner = store::owner(payment);
    let sent = world.truth.wire.iter().filter(|tx| tx.who == owner);
    sent.filter(|tx| world.truth.could_apply(tx))
        .map(|tx| tx.sequence)
        .collect()
}

fn is_durable(world: &World, tx: &Tx) -> bool {
    match tx.who {
        Who::Payment(_) => world
            .db
            .payments
            .iter()
            .any(|payment| store::transactions(payment).any(|known| known == *tx)),
        Who::Plug => world
            .db
            .plugs
            .iter()
            .any(|plug| Tx::of(plug.plug.hash) == *tx),
        Who::Stranger => true,
    }
}
