//! What a page of the journal means for what is open.

use super::batch::Batch;
use super::step::Queue;
use super::{Desk, JournalCommit, Note, Owner, Remembered, Settings, Step};
use crate::deposit;
use crate::ids::{LedgerIndex, TxHash, UnixMs};
use crate::journal::{BrokenPage, Fold, Page, fold};
use crate::payment::{AttemptState, Event, Finding, Slot};

/// Why nothing is concluded from a page: the cursor stays before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageRefused {
    /// It was asked for before something else moved the cursor: the work is read again.
    #[error("a journal page came out of turn: {0}")]
    OutOfTurn(BrokenPage),
    /// It cannot be true: the wallet stops with this reason, and the page is read again, perhaps from
    /// better servers.
    #[error("a journal page was refused: {0}")]
    Untrue(String),
}

impl Desk {
    /// Folds a page over the open attempts; the page and all that follows from it are one commit.
    /// `newest` is the newest validated ledger. What it leaves open past its last ledger is the
    /// business of [`Desk::overdue`], right after it.
    ///
    /// # Errors
    /// Nothing may be concluded from the page.
    pub fn take_page(
        &self,
        page: &Page,
        newest: Option<LedgerIndex>,
        settings: &Settings,
        now: UnixMs,
    ) -> Result<Step, PageRefused> {
        let folded = fold(&self.cursor, &self.slots(), page).map_err(|broken| match broken {
            BrokenPage::NotContiguous { .. } => PageRefused::OutOfTurn(broken),
            BrokenPage::OutOfPlace(_) | BrokenPage::SequenceWentBack(_) => {
                PageRefused::Untrue(broken.to_string())
            }
        })?;
        let Fold {
            cursor,
            findings,
            foreign,
            tickets,
        } = folded;
        let mut batch = Batch::default();
        let mut remembered = Vec::new();
        for theirs in &foreign {
            let entry = &theirs.entry;
            batch.notes.push(Note::Foreign {
                hash: entry.hash,
                ledger: entry.ledger_index,
            });
            if theirs.took_ours {
                batch.stop(format!(
                    "an unknown transaction, {}, took our {}",
                    entry.hash,
                    match entry.slot {
                        Slot::Sequence(_) => "sequence",
                        Slot::Ticket(_) => "ticket",
                    }
                ));
            }
            remembered.extend(Remembered::of(&self.wallet, entry, &page.servers));
        }
        let sign_from = (!remembered.is_empty()).then(|| {
            let newest = newest.map_or(page.to, |newest| newest.max(page.to));
            self.wait_for_others(newest, settings)
        });
        if let Some(from) = sign_from {
            batch.notes.push(Note::SigningWaits { from });
        }
        let settled = self.apply_findings(&mut batch, findings, now);
        if let Some(contradiction) = batch.contradiction {
            return Err(PageRefused::Untrue(contradiction));
        }
        batch.journal = Some(JournalCommit {
            from: page.from,
            cursor,
            entries: page.entries.clone(),
            remembered,
            tickets,
            sign_from,
            credits: deposit::credits_in(page, self.cursor.balance, now),
            closed_at: page.closed_at,
        });
        let refill_from = batch.refill_from;
        let mut step = Step::of(self, batch, now);
        step.refill_from = refill_from;
        step.settled = settled;
        step.queue = Queue::Again;
        Ok(step)
    }

    /// The ledger from which on it may be signed, where the ledger holds payments of a life that this
    /// database does not know: more of them may still be in flight.
    fn wait_for_others(&self, newest: LedgerIndex, settings: &Settings) -> LedgerIndex {
        let from = newest.plus(settings.ledger_window);
        self.sign_from.map_or(from, |known| known.max(from))
    }

    /// Takes findings into the batch; answers with the attempts that they settle.
    pub(super) fn apply_findings(
        &self,
        batch: &mut Batch,
        findings: Vec<((Owner, TxHash), Finding)>,
        now: UnixMs,
    ) -> Vec<TxHash> {
        let mut settled = Vec::with_capacity(findings.len());
        for ((owner, hash), finding) in findings {
            settled.push(hash);
            match (owner, finding) {
                (Owner::Payment(id), finding) => {
                    batch.on_open(self, id, Event::Journal(finding), now);
                }
                (
                    Owner::Plug,
                    Finding::Found {
                        result,
                        ledger_index,
                        ..
                    },
                ) => batch.plug_updates.push((
                    hash,
                    AttemptState::Validated {
                        result,
                        ledger_index,
                    },
                )),
                (Owner::Tickets(making), finding) => {
                    self.settle_making(batch, making, hash, finding);
                }
                (Owner::Plug, Finding::Absent { proof, .. }) => {
                    batch
                        .plug_updates
                        .push((hash, AttemptState::Dead { proof }));
                }
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::super::bed;
    use super::*;
    use crate::payment::Status;

    #[test]
    fn a_page_settles_what_it_holds_and_moves_the_cursor_in_one_commit() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1), bed::payment(2)]);
        let page = bed::page(&desk, vec![bed::entry(sent[0], 100, "tesSUCCESS")]);
        let step = desk
            .take_page(&page, None, &bed::SETTINGS, bed::NOW)
            .unwrap();
        let commit = step.commit();
        assert_eq!(commit.changes.len(), 1);
        assert_eq!(commit.changes[0].payment.status(), Status::Succeeded);
        assert_eq!(commit.journal.as_ref().unwrap().cursor.at, page.to);
        assert_eq!(
            desk.cursor().at.plus(1),
            page.from,
            "memory waits for the commit"
        );
        let done = desk.made_durable(step);
        assert_eq!(done.closed, [sent[0]]);
        assert_eq!(desk.cursor().at, page.to);
        assert_eq!(desk.lane().validated_next(), 101);
        assert_eq!(desk.flights().len(), 1);
    }

    #[test]
    fn an_unknown_transaction_on_our_sequence_halts_the_wallet() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let mut theirs = bed::entry(bed::hash(77), 100, "tesSUCCESS");
        theirs.marker = Some(crate::ids::Hash256([3; 32]));
        let page = bed::page(&desk, vec![theirs]);
        let newest = Some(page.to.plus(40));
        let step = desk
            .take_page(&page, newest, &bed::SETTINGS, bed::NOW)
            .unwrap();
        assert!(
            step.commit()
                .halt
                .as_ref()
                .unwrap()
                .contains("took our sequence")
        );
        let journal = step.commit().journal.as_ref().unwrap();
        assert_eq!(journal.remembered.len(), 1);
        let from = page.to.plus(40).plus(bed::SETTINGS.ledger_window);
        assert_eq!(journal.sign_from, Some(from));
        let done = desk.made_durable(step);
        assert_eq!(done.closed, sent, "the journal names who took the sequence");
        assert!(matches!(done.notes[0], Note::Halted { .. }));
        assert!(!desk.may_sign());
    }

    /// An older copy of the database knows an attempt that died; its life went on, signed the payment
    /// anew on the same sequence, and paid it.
    #[test]
    fn a_payment_out_of_time_is_looked_up_before_it_is_said_to_have_expired() {
        let (marker, late) = (crate::ids::Hash256([3; 32]), bed::NOW.plus_ms(9));
        let mut payment = bed::in_flight(1, 100, 7);
        payment.order.expires_at = Some(bed::NOW);
        let mut desk = bed::desk_of(super::super::LaneRecord {
            in_flight: vec![(payment.clone(), vec![(bed::hash(7), vec![7])])],
            ..bed::record()
        });
        let mut entry = bed::entry(bed::hash(77), 100, "tesSUCCESS");
        entry.marker = Some(marker);
        entry.destination = Some(payment.order.destination);
        let page = bed::page(&desk, vec![entry]);
        let step = desk.take_page(&page, None, &bed::SETTINGS, late).unwrap();
        let after = step.commit().changes[0].payment.clone();
        assert_eq!(after.status(), Status::Processing, "the ledger may know it");
        let remembered = step.commit().journal.as_ref().unwrap().remembered.clone();
        let _ = desk.made_durable(step);
        let known = super::super::recognise(&[(marker, &after)], &remembered);
        let step = desk.expire(&[after], &known, late);
        assert_eq!(step.commit().changes[0].payment.status(), Status::Succeeded);
    }

    #[test]
    fn nothing_is_concluded_from_a_page_out_of_turn_or_untrue() {
        let mut desk = bed::desk();
        let sent = bed::signed(&mut desk, vec![bed::payment(1)]);
        let mut page = bed::page(&desk, vec![bed::entry(sent[0], 100, "tefPAST_SEQ")]);
        let refused = desk.take_page(&page, None, &bed::SETTINGS, bed::NOW);
        assert!(matches!(refused, Err(PageRefused::Untrue(_))));
        page.from = page.from.plus(1);
        let refused = desk.take_page(&page, None, &bed::SETTINGS, bed::NOW);
        assert!(matches!(refused, Err(PageRefused::OutOfTurn(_))));
    }

    #[test]
    fn a_plug_in_a_page_is_settled_like_any_attempt() {
        let record = super::super::LaneRecord {
            plugs: vec![bed::plug_record(100, 9)],
            ..bed::record()
        };
        let mut desk = bed::desk_of(record);
        let page = bed::page(&desk, vec![bed::entry(bed::hash(9), 100, "tesSUCCESS")]);
        let step = desk
            .take_page(&page, None, &bed::SETTINGS, bed::NOW)
            .unwrap();
        assert!(matches!(
            step.commit().plug_updates[..],
            [(hash, AttemptState::Validated { .. })] if hash == bed::hash(9)
        ));
        let _ = desk.made_durable(step);
        assert!(!desk.slots().contains_key(&Slot::Sequence(100)));
    }
}
