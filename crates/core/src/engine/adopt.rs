//! Payments that the ledger already holds though this database did not know: it was lost, or restored
//! from an older copy, and the client asks again.
//!
//! Here is found which transaction counts for a payment, and whether it served the same order; the
//! machine makes the end of it. Nothing is signed.

use super::batch::Batch;
use super::{Desk, Note, Remembered, Step};
use crate::ids::{Hash256, PaymentId, UnixMs};
use crate::journal::Delivered;
use crate::ledger::codes::{self, OnValidated};
use crate::payment::{Adoption, Event, Payment};
use std::collections::BTreeMap;

/// Which of these payments, each with the markers of its intent, the ledger already knows by `rows`, and
/// the transaction that counts for it. A payment may stand there more than once: it has a marker for
/// every wallet that it may have been paid from.
#[must_use]
pub fn recognise(
    marked: &[(Hash256, &Payment)],
    rows: &[Remembered],
) -> BTreeMap<PaymentId, Remembered> {
    let mut known: BTreeMap<PaymentId, Remembered> = BTreeMap::new();
    for (marker, payment) in marked {
        let of_intent = rows.iter().filter(|row| {
            row.marker == *marker && payment.attempt(row.hash).is_none() && ends_it(&row.result)
        });
        for row in of_intent {
            // A success ends it; of several failures the newest says how it stood.
            let weight =
                |row: &Remembered| (is_delivered(&row.result), row.ledger_index, row.tx_index);
            match known.get(&payment.id) {
                Some(best) if weight(best) >= weight(row) => {}
                Some(_) | None => {
                    known.insert(payment.id, row.clone());
                }
            }
        }
    }
    known
}

fn is_delivered(result: &str) -> bool {
    codes::on_validated(result) == OnValidated::Delivered
}

/// A wallet that was short of money has ended nothing: the payment is still to be made.
fn ends_it(result: &str) -> bool {
    codes::on_validated(result) != OnValidated::OwnShortage
}

impl Desk {
    /// Ends those of `payments`, queued or waiting for an approval, that the ledger holds already:
    /// `known` says by what. To be asked only while [`Desk::knows_the_past`]; nothing is signed, so a
    /// halted wallet does it too.
    pub fn adopt(
        &self,
        payments: &[Payment],
        known: &BTreeMap<PaymentId, Remembered>,
        now: UnixMs,
    ) -> Step {
        let mut batch = Batch::default();
        for payment in payments {
            if let Some(remembered) = known.get(&payment.id) {
                adopt(&mut batch, payment, remembered, now);
            }
        }
        Step::of(self, batch, now)
    }
}

/// Ends a payment by the transaction that served it in a life that this database does not know.
pub(super) fn adopt(batch: &mut Batch, payment: &Payment, row: &Remembered, now: UnixMs) {
    let order = &payment.order;
    let delivered = match row.delivered {
        Delivered::Xrp(drops) => Some(drops),
        Delivered::Nothing
        | Delivered::Other(_)
        | Delivered::Unreadable(_)
        | Delivered::Unavailable => None,
    };
    let is_same_order = row.destination == Some(order.destination.to_string())
        && row.destination_tag == order.destination_tag
        && (!is_delivered(&row.result) || delivered == Some(order.amount));
    let (id, hash) = (payment.id, row.hash);
    if !is_same_order {
        batch.notes.push(Note::OtherOrder { payment: id, hash });
        batch.apply(payment, Event::Cancel, now);
        return;
    }
    let adoption = Adoption {
        wallet: row.wallet.clone(),
        hash,
        slot: row.slot,
        fee: row.fee,
        result: row.result.clone(),
        ledger_index: row.ledger_index,
        ledger_hash: row.ledger_hash,
        delivered,
        servers: row.servers.clone(),
    };
    batch.apply(payment, Event::Adopt(adoption), now);
    let is_adopted = |adopted: &Payment| adopted.attempt(hash).is_some();
    if batch.payment(id).is_some_and(is_adopted) {
        batch.notes.push(Note::Adopted { payment: id, hash });
        // Its bytes are on the ledger; nobody will send them again.
        batch.add_blob(id, hash, Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;
    use crate::ids::{LedgerHash, LedgerIndex, TxHash};
    use crate::payment::{Approval, Slot, State, Status};

    fn row(n: u8, result: &str, payment: &Payment) -> Remembered {
        Remembered {
            wallet: "hot".into(),
            marker: Hash256([4; 32]),
            hash: TxHash([n; 32]),
            ledger_index: LedgerIndex(u32::from(n)),
            ledger_hash: LedgerHash([n; 32]),
            tx_index: 0,
            result: result.into(),
            slot: Slot::Sequence(u32::from(n)),
            fee: bed::drops(10),
            destination: Some(payment.order.destination.to_string()),
            destination_tag: payment.order.destination_tag,
            delivered: Delivered::Xrp(payment.order.amount),
            servers: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn a_remembered_success_counts_before_any_later_failure() {
        let payment = bed::payment(1);
        let rows = [
            row(3, "tecNO_DST", &payment),
            row(5, "tesSUCCESS", &payment),
            row(9, "tecNO_DST", &payment),
        ];
        let known = recognise(&[(Hash256([4; 32]), &payment)], &rows);
        assert_eq!(known.get(&payment.id), Some(&rows[1]));
        assert!(recognise(&[(Hash256([5; 32]), &payment)], &rows).is_empty());
        let short = row(9, "tecUNFUNDED_PAYMENT", &payment);
        assert!(recognise(&[(Hash256([4; 32]), &payment)], &[short]).is_empty());
    }

    #[test]
    fn an_intent_is_known_by_the_marker_of_any_wallet_and_a_shortage_is_no_end() {
        let payment = bed::payment(1);
        let other = Remembered {
            wallet: "other".into(),
            marker: Hash256([6; 32]),
            ..row(4, "tesSUCCESS", &payment)
        };
        let marked = [(Hash256([4; 32]), &payment), (Hash256([6; 32]), &payment)];
        let rows = [row(3, "tecNO_DST", &payment), other.clone()];
        assert_eq!(recognise(&marked, &rows).get(&payment.id), Some(&other));
        let turned = [marked[1], marked[0]];
        assert_eq!(recognise(&turned, &rows).get(&payment.id), Some(&other));
        let short = [row(9, "tecUNFUNDED_PAYMENT", &payment)];
        assert!(recognise(&marked, &short).is_empty());
    }

    #[test]
    fn a_payment_that_waits_for_its_approval_is_adopted_into_the_books_of_the_wallet_that_paid() {
        let mut record = bed::record();
        record.halted = Some("a person has to look".into());
        let desk = bed::desk_of(record);
        let mut waiting = bed::payment(1);
        waiting.state = State::AwaitingApproval;
        waiting.approval = Some(Approval {
            asked_by: "maker".into(),
            expires_at: UnixMs(9),
            verdict: None,
        });
        let paid = Remembered {
            wallet: "other".into(),
            ..row(5, "tesSUCCESS", &waiting)
        };
        let known = BTreeMap::from([(waiting.id, paid)]);
        let others = [waiting, bed::payment(2)];
        let step = desk.adopt(&others, &known, bed::NOW);
        let [change] = &step.commit().changes[..] else {
            panic!("{step:?}");
        };
        assert_eq!(change.payment.status(), Status::Succeeded);
        assert_eq!(change.payment.wallet, "other");
    }

    #[test]
    fn a_payment_that_the_ledger_holds_succeeds_without_a_signature() {
        let (desk, payment) = (bed::desk(), bed::payment(1));
        let mut batch = Batch::default();
        adopt(
            &mut batch,
            &payment,
            &row(5, "tesSUCCESS", &payment),
            bed::NOW,
        );
        let (commit, notes) = batch.into_commit(&desk, bed::NOW);
        assert_eq!(commit.changes[0].payment.status(), Status::Succeeded);
        assert_eq!(commit.changes[0].settled, Some(payment.order.amount));
        assert!(matches!(notes[..], [Note::Adopted { .. }]));
    }

    #[test]
    fn another_order_under_the_same_key_is_never_taken_for_this_one() {
        let (desk, payment) = (bed::desk(), bed::payment(1));
        let honest = row(5, "tesSUCCESS", &payment);
        let others = [
            Remembered {
                delivered: Delivered::Xrp(bed::drops(1)),
                ..honest.clone()
            },
            Remembered {
                destination: None,
                ..honest.clone()
            },
            Remembered {
                destination_tag: Some(7),
                ..honest
            },
        ];
        for other in others {
            let mut batch = Batch::default();
            adopt(&mut batch, &payment, &other, bed::NOW);
            let (commit, notes) = batch.into_commit(&desk, bed::NOW);
            assert_eq!(commit.changes[0].payment.status(), Status::Cancelled);
            assert!(matches!(notes[..], [Note::OtherOrder { .. }]));
        }
    }
}
