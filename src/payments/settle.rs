//! What the ledger says about what we sent: journal pages, account roots, submission answers.
//! Only the first two end anything.

use super::batch::Batch;
use super::engine::{Engine, Step, Stop};
use super::lane::Owner;
use super::submit::Report;
use crate::store::{Change, JournalCommit, LaneCommit};
use crate::xrpl::{AgreedRoot, HistoryError};
use xrpayd_core::ids::{PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::{Fold, Page, RootProof, fold, prove_absence};
use xrpayd_core::ledger::codes::{self, OnSubmit};
use xrpayd_core::payment::{Answer, AttemptState, Event, Finding, State};

impl Engine<'_> {
    /// Folds a page over the open attempts; the page and all that follows from it are one commit.
    pub(super) async fn settle_page(&mut self, page: Page) -> Step {
        let now = self.deps.clock.now();
        let folded = match fold(&self.open.cursor, &self.open.slots(), &page) {
            Ok(folded) => folded,
            Err(broken) => {
                tracing::error!(wallet.name = self.deps.wallet.name, %broken, "a journal page was refused");
                return Err(Stop::reload());
            }
        };
        let Fold {
            cursor,
            findings,
            foreign,
        } = folded;
        let mut batch = Batch::default();
        for theirs in &foreign {
            tracing::warn!(
                wallet.name = self.deps.wallet.name,
                tx.hash = %theirs.hash,
                ledger.index = theirs.ledger_index.0,
                "the account sent a transaction that is not ours"
            );
            if theirs.took_ours {
                batch.stop(format!(
                    "an unknown transaction, {}, took our sequence",
                    theirs.hash
                ));
            }
        }
        let plug_updates = self.apply_findings(&mut batch, findings.clone(), now);
        let journal = JournalCommit {
            from: page.from,
            cursor: cursor.clone(),
            entries: page.entries,
        };
        self.commit(batch, plug_updates, Some(journal), now).await?;
        self.open.cursor = cursor;
        self.forget(&findings);
        self.open.lane.advance(self.open.cursor.next_sequence);
        self.mark_overdue().await
    }

    /// Tries to prove the absence of every attempt whose last ledger the journal has passed.
    pub(super) async fn take_root(&mut self, root: Result<AgreedRoot, HistoryError>) -> Step {
        let now = self.deps.clock.now();
        let agreed = match root {
            Ok(agreed) => agreed,
            Err(error) => {
                tracing::debug!(wallet.name = self.deps.wallet.name, %error, "no account root: the proof waits");
                self.ask_again_for_root();
                return Ok(());
            }
        };
        let Some(root) = agreed.root else {
            let mut batch = Batch::default();
            batch.stop(format!(
                "the account does not exist in ledger {}",
                agreed.at
            ));
            return self.commit(batch, Vec::new(), None, now).await;
        };
        let proof = RootProof {
            at: agreed.at,
            sequence: root.sequence,
            servers: agreed.servers.clone(),
        };
        let mut findings = Vec::new();
        for (slot, attempts) in self.open.slots() {
            for attempt in attempts {
                if let Some(proof) = prove_absence(&self.open.cursor, &proof, slot, &attempt) {
                    let finding = Finding::Absent {
                        hash: attempt.hash,
                        proof,
                    };
                    findings.push((attempt.owner, finding));
                }
            }
        }
        if findings.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        let plug_updates = self.apply_findings(&mut batch, findings.clone(), now);
        self.commit(batch, plug_updates, None, now).await?;
        self.forget(&findings);
        self.look_again();
        Ok(())
    }

    /// Takes the answers of submissions: hints, of which only the first good one is kept.
    pub(super) async fn take_answers(&mut self, reports: Vec<Report>) -> Step {
        let now = self.deps.clock.now();
        let mut batch = Batch::default();
        for Report { hash, answer } in reports {
            let Some(flight) = self.open.flights.get_mut(&hash) else {
                continue;
            };
            if matches!(&answer, Answer::Unparsable(_))
                || matches!(&answer, Answer::Engine(code) if codes::on_submit(code) == OnSubmit::Never)
            {
                flight.refused = true;
            }
            let Owner::Payment(id) = flight.owner else {
                continue;
            };
            if self.is_news(id, hash, &answer) {
                self.observe_answered(id, hash, now);
                batch.on_open(&self.open, id, Event::Answered { hash, answer }, now);
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let plugs = std::mem::take(&mut batch.plugs);
        self.commit(batch, Vec::new(), None, now).await?;
        self.sign_plugs(plugs).await
    }

    /// Whether an answer says more than what is already known: the resends of an attempt that a
    /// server has are not worth a write each.
    fn is_news(&self, id: PaymentId, hash: TxHash, answer: &Answer) -> bool {
        let attempt = self
            .open
            .payments
            .get(&id)
            .and_then(|payment| payment.attempt(hash));
        match attempt.map(|attempt| &attempt.state) {
            Some(AttemptState::Submitted { .. }) => match answer {
                Answer::Engine(code) => {
                    matches!(codes::on_submit(code), OnSubmit::Never | OnSubmit::OwnFault)
                }
                Answer::Unparsable(_) => true,
                Answer::Lost => false,
            },
            Some(_) => true,
            None => false,
        }
    }

    /// Whether the journal has passed the last ledger of something that is still open.
    pub(super) fn has_overdue(&self) -> bool {
        let at = self.open.cursor.at;
        self.open
            .flights
            .values()
            .any(|flight| flight.last_ledger <= at)
    }

    /// Shows `outcome_unknown` on what the validated ledger has passed without a proof.
    async fn mark_overdue(&mut self) -> Step {
        let (now, at) = (self.deps.clock.now(), self.open.cursor.at);
        let mut batch = Batch::default();
        for (&hash, flight) in &self.open.flights {
            if let Owner::Payment(id) = flight.owner
                && flight.last_ledger <= at
            {
                batch.on_open(&self.open, id, Event::Overdue { hash }, now);
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch, Vec::new(), None, now).await
    }

    fn apply_findings(
        &self,
        batch: &mut Batch,
        findings: Vec<((Owner, TxHash), Finding)>,
        now: UnixMs,
    ) -> Vec<(TxHash, AttemptState)> {
        let mut plug_updates = Vec::new();
        for ((owner, hash), finding) in findings {
            match owner {
                Owner::Payment(id) => batch.on_open(&self.open, id, Event::Journal(finding), now),
                Owner::Plug => plug_updates.push((
                    hash,
                    match finding {
                        Finding::Found {
                            result,
                            ledger_index,
                            ..
                        } => AttemptState::Validated {
                            result,
                            ledger_index,
                        },
                        Finding::Absent { proof, .. } => AttemptState::Dead { proof },
                    },
                )),
            }
        }
        plug_updates
    }

    fn forget(&mut self, findings: &[((Owner, TxHash), Finding)]) {
        for ((_, hash), _) in findings {
            self.open.settle(*hash);
        }
    }

    /// Makes a batch durable, then takes it into memory.
    pub(super) async fn commit(
        &mut self,
        batch: Batch,
        plug_updates: Vec<(TxHash, AttemptState)>,
        journal: Option<JournalCommit>,
        now: UnixMs,
    ) -> Step {
        let halt = batch.halt.clone();
        if let Some(reason) = &halt {
            tracing::error!(
                wallet.name = self.deps.wallet.name,
                reason,
                "the wallet stops signing"
            );
        }
        let commit = LaneCommit {
            wallet: self.deps.wallet.name.clone(),
            now,
            changes: batch.into_changes(),
            new_plugs: Vec::new(),
            plug_updates,
            journal,
            halt: halt.clone(),
        };
        self.deps.store.commit(&commit).await?;
        if halt.is_some() {
            self.open.halted = halt;
        }
        for change in commit.changes {
            self.observe(&change, now);
            self.take_change(change);
        }
        Ok(())
    }

    fn take_change(&mut self, change: Change) {
        match change.payment.state {
            State::InFlight => {
                self.open.payments.insert(change.payment.id, change.payment);
            }
            State::Queued { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Expired { .. }
            | State::Cancelled { .. } => {
                // A payment that has its end stays while a rival attempt of it is not settled.
                if change.payment.open_attempts().next().is_some() {
                    self.open.payments.insert(change.payment.id, change.payment);
                } else {
                    self.open.payments.remove(&change.payment.id);
                }
            }
        }
    }
}
