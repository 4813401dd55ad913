//! What the engine asks the ledger beside its journal: the account root and the tickets at the
//! journal's end where something is overdue, and the tickets of an account that was never read.
//!
//! The questions run beside the engine and are asked at most once a ledger; what could not be had is
//! asked for again. Nothing is concluded from an answer that the quorum does not bear.

use super::engine::{Engine, StepResult};
use crate::xrpl::{AgreedRoot, AgreedTickets, HistoryError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::ids::LedgerIndex;
use xrpayd_core::journal::RootProof;

/// The pause before what could not be had is asked for again.
const PAUSE: Duration = Duration::from_millis(250);

/// The ledgers at which something was asked for last.
#[derive(Debug, Default)]
pub(super) struct Asking {
    proof_at: Option<LedgerIndex>,
    tickets_at: Option<LedgerIndex>,
}

/// An answer.
#[derive(Debug)]
pub(super) enum Asked {
    /// The account root, and the tickets where something overdue went by one.
    Proof(Result<AgreedRoot, HistoryError>, Option<AgreedTickets>),
    /// The tickets of an account, read for the first time.
    Tickets(Result<AgreedTickets, HistoryError>),
}

impl Engine<'_> {
    /// Asks for what the desk needs to know at the journal's end.
    pub(super) fn ask_the_ledger(
        &mut self,
        asked_tx: &mpsc::Sender<Asked>,
        cancel: &CancellationToken,
    ) {
        let at = self.desk.cursor().at;
        let (pool, account) = (&self.deps.pool, self.deps.wallet.account);
        if self.asking.proof_at != Some(at) && self.desk.has_overdue() {
            self.asking.proof_at = Some(at);
            let (pool, needs_tickets) = (pool.clone(), self.desk.has_overdue_by_ticket());
            self.ask("root", asked_tx, cancel, async move {
                let root = pool.account_root(account, at).await;
                let tickets = match needs_tickets && root.is_ok() {
                    true => pool.tickets(account, at).await.map(Some),
                    false => Ok(None),
                };
                match tickets {
                    Ok(tickets) => Asked::Proof(root, tickets),
                    // What went by sequence waits with the rest: the next answer serves both.
                    Err(error) => Asked::Proof(Err(error), None),
                }
            });
        }
        // One reading at a time: what the journal tells meanwhile is kept from its ledger on.
        if self.asking.tickets_at.is_none() && self.desk.wants_tickets_read() {
            let at = self.desk.reading_tickets();
            self.asking.tickets_at = Some(at);
            let pool = pool.clone();
            self.ask("tickets", asked_tx, cancel, async move {
                Asked::Tickets(pool.tickets(account, at).await)
            });
        }
    }

    /// Runs a question beside the engine.
    fn ask(
        &self,
        what: &str,
        asked_tx: &mpsc::Sender<Asked>,
        cancel: &CancellationToken,
        question: impl Future<Output = Asked> + Send + 'static,
    ) {
        let (asked_tx, cancel) = (asked_tx.clone(), cancel.clone());
        let name = format!("{what}:{}", self.deps.wallet.name);
        self.deps.supervisor.spawn(name, async move {
            let ask = async {
                let answer = question.await;
                if let Asked::Proof(Err(_), _) | Asked::Tickets(Err(_)) = answer {
                    tokio::time::sleep(PAUSE).await;
                }
                // The engine reads every answer; a closed channel means that its life is over.
                let _ = asked_tx.send(answer).await;
            };
            tokio::select! {
                () = cancel.cancelled() => {}
                () = ask => {}
            }
        });
    }

    /// Takes an answer.
    pub(super) async fn take_asked(&mut self, asked: Asked) -> StepResult {
        match asked {
            Asked::Proof(Ok(root), tickets) => self.take_proof(root, tickets).await,
            Asked::Tickets(Ok(tickets)) => self.take_tickets(tickets).await,
            Asked::Proof(Err(error), _) => {
                tracing::debug!(wallet.name = self.deps.wallet.name, %error, "no account root: the proof waits");
                self.asking.proof_at = None;
                Ok(())
            }
            Asked::Tickets(Err(error)) => {
                tracing::debug!(wallet.name = self.deps.wallet.name, %error, "the tickets cannot be read yet");
                self.asking.tickets_at = None;
                Ok(())
            }
        }
    }

    async fn take_proof(&mut self, root: AgreedRoot, tickets: Option<AgreedTickets>) -> StepResult {
        let now = self.deps.clock.now();
        let step = match root.root {
            None => self.desk.take_no_root(root.at, now),
            Some(found) => {
                let proof = RootProof {
                    at: root.at,
                    sequence: found.sequence,
                    tickets: tickets.map(|tickets| tickets.standing),
                    servers: root.servers,
                };
                self.desk.take_root(&proof, now)
            }
        };
        self.carry_out(step).await
    }

    async fn take_tickets(&mut self, tickets: AgreedTickets) -> StepResult {
        let now = self.deps.clock.now();
        let step = self.desk.take_tickets(tickets.at, &tickets.standing, now);
        self.carry_out(step).await?;
        self.asking.tickets_at = None;
        if !tickets.standing.is_empty() {
            tracing::info!(
                wallet.name = self.deps.wallet.name,
                tickets = tickets.standing.len(),
                "the tickets that the account has were read"
            );
        }
        Ok(())
    }
}
