//! What the ledger says about what we sent: journal pages, account roots, submission answers.
//! Only the first two end anything.

use super::batch::Batch;
use super::engine::{Engine, Step, Stop};
use super::lane::{Owner, Sent};
use super::submit::Report;
use crate::store::{Change, JournalCommit, LaneCommit, Remembered};
use crate::xrpl::{AgreedRoot, HistoryError};
use xrpayd_core::ids::{LedgerIndex, PaymentId, TxHash, UnixMs};
use xrpayd_core::journal::{BrokenPage, Fold, Page, RootProof, fold, prove_absence};
use xrpayd_core::ledger::codes::{self, OnSubmit};
use xrpayd_core::payment::{Answer, AttemptState, Event, Finding, Slot, State};

impl Engine<'_> {
    /// Folds a page over the open attempts; the page and all that follows from it are one commit.
    pub(super) async fn settle_page(&mut self, page: Page) -> Step {
        let now = self.deps.clock.now();
        let folded = match fold(&self.open.cursor, &self.open.slots(), &page) {
            Ok(folded) => folded,
            // The page was asked for before something else moved the cursor.
            Err(broken @ BrokenPage::NotContiguous { .. }) => {
                tracing::warn!(wallet.name = self.deps.wallet.name, %broken, "a journal page came out of turn");
                return Err(Stop::reload());
            }
            Err(broken @ (BrokenPage::OutOfPlace(_) | BrokenPage::SequenceWentBack(_))) => {
                return self.refuse_page(&broken.to_string()).await;
            }
        };
        let Fold {
            cursor,
            findings,
            foreign,
            tickets: _,
        } = folded;
        let mut batch = Batch::default();
        let mut remembered = Vec::new();
        for theirs in &foreign {
            let entry = &theirs.entry;
            tracing::warn!(
                wallet.name = self.deps.wallet.name,
                tx.hash = %entry.hash,
                ledger.index = entry.ledger_index.0,
                "the account sent a transaction that this database does not know"
            );
            if theirs.took_ours {
                batch.stop(format!(
                    "an unknown transaction, {}, took our sequence",
                    entry.hash
                ));
            }
            remembered.extend(Remembered::of(entry, &page.servers));
        }
        let sign_from = self.wait_for_others(!remembered.is_empty(), page.to);
        let plug_updates = self.apply_findings(&mut batch, findings.clone(), now);
        if let Some(contradiction) = &batch.contradiction {
            return self.refuse_page(contradiction).await;
        }
        let journal = JournalCommit {
            from: page.from,
            cursor: cursor.clone(),
            entries: page.entries,
            sign_from,
            remembered,
        };
        let remembers = !journal.remembered.is_empty();
        self.commit(batch, plug_updates, Some(journal), now).await?;
        self.open.remembers |= remembers;
        self.open.sign_from = sign_from.or(self.open.sign_from);
        self.open.cursor = cursor;
        self.forget(&findings);
        self.open.lane.advance(self.open.cursor.next_sequence);
        self.mark_overdue().await
    }

    /// Stops the wallet over a page that cannot be true, and concludes nothing from it: the cursor
    /// stays before it, and it is read again, perhaps from better servers.
    async fn refuse_page(&mut self, why: &str) -> Step {
        tracing::error!(
            wallet.name = self.deps.wallet.name,
            why,
            "a journal page was refused"
        );
        let reason = format!("a journal page was refused: {why}");
        let now = self.deps.clock.now();
        self.deps
            .store
            .set_halt(&self.deps.wallet.name, Some(&reason), now)
            .await?;
        Err(Stop::reload())
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
            tickets: None,
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
        let mut batch = Batch::default();
        if self.open.halted.is_none()
            && let Some(reason) = self.unexplained(&agreed.at, root.sequence)
        {
            batch.stop(reason);
        }
        if findings.is_empty() && batch.is_empty() {
            return Ok(());
        }
        let plug_updates = self.apply_findings(&mut batch, findings.clone(), now);
        self.commit(batch, plug_updates, None, now).await?;
        self.forget(&findings);
        self.look_again();
        Ok(())
    }

    /// What the account root shows that the journal does not explain: a sequence that went by with
    /// no transaction that took it. Neither an outcome nor an absence can be concluded from that.
    fn unexplained(&self, at: &LedgerIndex, root_sequence: u32) -> Option<String> {
        if *at == self.open.cursor.at && root_sequence != self.open.cursor.next_sequence {
            return Some(format!(
                "the account shows sequence {root_sequence} in ledger {at}, the journal {}",
                self.open.cursor.next_sequence
            ));
        }
        let passed = self.open.flights.iter().find(|(_, flight)| {
            let by_sequence = matches!(flight.slot, Slot::Sequence(s) if s < root_sequence);
            by_sequence && flight.last_ledger <= *at && *at <= self.open.cursor.at
        });
        passed.map(|(hash, flight)| {
            format!(
                "{:?} went by, and neither {hash} nor another transaction took it",
                flight.slot
            )
        })
    }

    /// Takes the answers of submissions: hints, of which only the first good one is kept.
    pub(super) async fn take_answers(&mut self, reports: Vec<Report>) -> Step {
        let now = self.deps.clock.now();
        let mut batch = Batch::default();
        for Report { hash, answer } in reports {
            let Some(flight) = self.open.flights.get_mut(&hash) else {
                continue;
            };
            // What waits in a queue or found no room may wait long: the fee has moved.
            if let Answer::Engine(code) = &answer
                && (codes::on_submit(code) == OnSubmit::Crowded || code == "terQUEUED")
            {
                self.deps.pool.doubt_fee();
            }
            if answer == Answer::Lost {
                flight.sent_at = Sent::Lost(tokio::time::Instant::now());
            }
            match (flight.owner, &answer) {
                (Owner::Payment(id), _) if self.is_news(id, hash, &answer) => {
                    if answer != Answer::Lost {
                        self.observe_answered(id, hash, now);
                    }
                    batch.on_open(&self.open, id, Event::Answered { hash, answer }, now);
                }
                (Owner::Plug, Answer::Engine(code))
                    if codes::on_submit(code) == OnSubmit::OwnFault =>
                {
                    batch.stop(format!("a no-op was answered {code}"));
                }
                (Owner::Payment(_) | Owner::Plug, _) => {}
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch, Vec::new(), None, now).await
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
        let halt = batch.halt.clone().or_else(|| batch.contradiction.clone());
        // The first reason stands until a person resumes the wallet.
        let halt = halt.filter(|_| self.open.halted.is_none());
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
        for attempt in &change.payment.attempts {
            if matches!(attempt.state, AttemptState::Refused { .. }) {
                self.open.refuse(&attempt.hash);
            }
        }
        match change.payment.state {
            State::InFlight => {
                self.open.payments.insert(change.payment.id, change.payment);
            }
            State::AwaitingApproval
            | State::Queued { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Expired { .. }
            | State::Cancelled { .. }
            | State::Rejected => {
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
