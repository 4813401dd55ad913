//! What a page of the journal means for what is open.

use super::batch::Batch;
use super::step::Queue;
use super::{Desk, JournalCommit, Note, Owner, Remembered, Settings, Step};
use crate::deposit;
use crate::ids::{LedgerIndex, TxHash, UnixMs};
use crate::journal::{BrokenPage, Delivered, Entry, Fold, Page, TICKET_CREATE, fold};
use crate::payment::{AttemptState, Event, Finding, Slot};

/// The type of the transaction that fills a sequence and does nothing else.
const NO_OP: &str = "AccountSet";

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
            } else if !self.may_be_of_a_lost_life(entry) {
                batch.stop(strange(entry));
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

    /// Whether a database that this one stands in for may have signed it: one of the three things that an
    /// engine signs, in a ledger before which nothing is signed here for that very reason.
    fn may_be_of_a_lost_life(&self, entry: &Entry) -> bool {
        let is_waited_for = self
            .sign_from
            .is_some_and(|from| entry.ledger_index <= from);
        let is_of_an_engine = match entry.transaction_type.as_str() {
            "Payment" => entry.marker.is_some(),
            kind => kind == NO_OP || kind == TICKET_CREATE,
        };
        is_waited_for && is_of_an_engine
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

/// Why a wallet stops at a transaction that nothing here signed, so that who is called out of bed sees at
/// once what it did.
fn strange(entry: &Entry) -> String {
    let amount = match &entry.delivered {
        Delivered::Nothing => String::new(),
        Delivered::Xrp(drops) => format!(" of {} XRP", drops.to_xrp()),
        Delivered::Other(_) | Delivered::Unreadable(_) | Delivered::Unavailable => {
            " of something else than XRP".to_owned()
        }
    };
    let whom = entry.destination.map(|account| format!(" to {account}"));
    format!(
        "an unknown transaction, {}, was signed with a key of the account: {}{amount}{} in ledger {}",
        entry.hash,
        entry.transaction_type,
        whom.unwrap_or_default(),
        entry.ledger_index,
    )
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

    /// What somebody else signs while nothing of ours is on the way.
    fn strange_page(desk: &Desk, change: impl FnOnce(&mut Entry)) -> Page {
        let mut theirs = bed::entry(bed::hash(77), 100, "tesSUCCESS");
        change(&mut theirs);
        bed::page(desk, vec![theirs])
    }

    fn halt_of(desk: &Desk, page: &Page) -> Option<String> {
        let step = desk.take_page(page, None, &bed::SETTINGS, bed::NOW);
        step.unwrap().commit().halt.clone()
    }

    #[test]
    fn whatever_somebody_else_signs_halts_an_idle_wallet_at_once() {
        let desk = bed::desk();
        let reason = halt_of(&desk, &strange_page(&desk, |_| {})).unwrap();
        let hash = bed::hash(77).to_string();
        assert!(
            reason.contains("unknown transaction") && reason.contains(&hash),
            "{reason}"
        );
        for kind in ["AccountSet", "SetRegularKey", "TicketCreate", "OfferCreate"] {
            let page = strange_page(&desk, |entry| entry.transaction_type = kind.into());
            let reason = halt_of(&desk, &page).unwrap();
            assert!(reason.contains(kind), "{reason}");
        }
        // An InvoiceID, or our memo, is anybody's to set.
        let marked = strange_page(&desk, |entry| {
            entry.marker = Some(crate::ids::Hash256([3; 32]));
        });
        assert!(halt_of(&desk, &marked).is_some());
    }

    #[test]
    fn what_a_lost_database_may_have_signed_halts_nothing_while_it_is_waited_for() {
        let desk = bed::desk();
        let at = desk.cursor().at.plus(1);
        let waiting = |from| {
            bed::desk_of(super::super::LaneRecord {
                sign_from: Some(from),
                ..bed::record()
            })
        };
        let (still, over) = (waiting(at), waiting(desk.cursor().at));
        let marked = |entry: &mut Entry| entry.marker = Some(crate::ids::Hash256([3; 32]));
        let no_op = |entry: &mut Entry| entry.transaction_type = NO_OP.into();
        for page in [strange_page(&desk, marked), strange_page(&desk, no_op)] {
            assert_eq!(page.entries[0].ledger_index, at);
            assert_eq!(halt_of(&still, &page), None);
            assert!(halt_of(&over, &page).is_some());
        }
        // No engine pays without its marker, or changes a key.
        let key = |entry: &mut Entry| entry.transaction_type = "SetRegularKey".into();
        for page in [strange_page(&desk, |_| {}), strange_page(&desk, key)] {
            assert!(halt_of(&still, &page).is_some());
        }
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
