//! Sends signed attempts to the servers, in the order of their sequences, and brings the answers
//! back. The only caller of the pool's `submit`; what it sends is durable already, and nothing is sent
//! once the wallet's lease may have run out.

use super::engine::Hands;
use super::hold::Hold;
use crate::xrpl::{Backlog, Mark, Pool, Submission, SubmitAnswer, SubmitReport};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::ids::TxHash;
use xrpayd_core::ledger::codes::{self, OnSubmit};
use xrpayd_core::payment::Answer;

/// Batches whose answers are awaited at once.
const BATCHES_WAITING_MAX: usize = 8;
/// How long the answers of a batch are awaited.
const ANSWERS_WAIT: Duration = Duration::from_secs(5);

/// What is to be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// The bytes, in the order in which the ledger wants them.
    pub blobs: Vec<(TxHash, Arc<[u8]>)>,
    /// The open attempts among which they stand: a server that lacks one of them gets it first.
    pub mark: Mark,
}

/// What came of sending one attempt, over all servers it went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The attempt.
    pub hash: TxHash,
    /// The most hopeful answer.
    pub answer: Answer,
}

/// Sends what comes through `outgoing` until cancelled, the engine is gone or the lease has run out;
/// `hands` is given back with the end. A server that becomes
/// ready, for the first time or again, gets what is open and was not sent on its connection.
pub async fn run(
    (pool, hold): (Pool, Hold),
    backlog: Arc<Backlog>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    reports: mpsc::Sender<Vec<Report>>,
    (cancel, _hands): (CancellationToken, Hands),
) {
    let work = async {
        // Each is polled as soon as it is pushed, and writes before it waits: batches leave in the
        // order in which they came, while the answers of earlier ones are still awaited.
        let mut waiting = FuturesUnordered::new();
        let mut arrivals = pool.arrivals();
        let mut sent = Mark::default();
        loop {
            tokio::select! {
                biased;
                () = hold.ran_out() => return,
                Some(answered) = waiting.next() => {
                    if reports.send(answered).await.is_err() {
                        return;
                    }
                }
                batch = outgoing.recv(), if waiting.len() < BATCHES_WAITING_MAX => match batch {
                    Some(batch) => {
                        sent = sent.max(batch.mark);
                        waiting.push(send(&pool, &hold, &backlog, batch));
                    }
                    None => return,
                },
                Ok(()) = arrivals.changed(), if waiting.len() < BATCHES_WAITING_MAX => {
                    let nothing_new = Outgoing { blobs: Vec::new(), mark: sent };
                    waiting.push(send(&pool, &hold, &backlog, nothing_new));
                }
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

/// Sends a batch and waits for its answers, but not for long: they are hints, and the journal tells
/// what became of it.
async fn send(pool: &Pool, hold: &Hold, backlog: &Backlog, outgoing: Outgoing) -> Vec<Report> {
    let Outgoing { blobs, mark } = outgoing;
    // A process that has just thawed is not to send what its successor may have settled meanwhile; what
    // waits in front of a socket is looked at once more when it is written.
    if !hold.lasts() {
        return Vec::new();
    }
    let may = hold.may_send();
    let submission = pool.submit_from(backlog, mark, &blobs, &may);
    match tokio::time::timeout(ANSWERS_WAIT, submission).await {
        Ok(Submission {
            reports,
            predecessors,
        }) => {
            // A predecessor has its own report from when it was sent; only good news of it count.
            let taken = predecessors.into_iter().map(reduce).filter(is_taken);
            reports.into_iter().map(reduce).chain(taken).collect()
        }
        Err(_) => blobs
            .into_iter()
            .map(|(hash, _)| Report {
                hash,
                answer: Answer::Lost,
            })
            .collect(),
    }
}

fn is_taken(report: &Report) -> bool {
    matches!(&report.answer, Answer::Engine(result) if codes::on_submit(result) == OnSubmit::Wait)
}

/// One answer out of several. The most hopeful one counts: a single server that lags, or is on
/// another chain, must not make a sound attempt look malformed or our key look wrong.
fn reduce(report: SubmitReport) -> Report {
    let answer = report
        .answers
        .into_iter()
        .map(|(_, answer)| answer_of(answer))
        .min_by_key(Answer::despair)
        .unwrap_or(Answer::Lost);
    Report {
        hash: report.hash,
        answer,
    }
}

fn answer_of(answer: SubmitAnswer) -> Answer {
    match answer {
        SubmitAnswer::Engine { result, .. } => Answer::Engine(result),
        // The server's parser refused the bytes themselves. Every other error (not synced, too
        // busy, slow down) says nothing about them.
        SubmitAnswer::Refused { error } if error == "invalidTransaction" => {
            Answer::Unparsable(error)
        }
        SubmitAnswer::Refused { .. } | SubmitAnswer::Unknown { .. } => Answer::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::store::Tenure;
    use crate::supervise::Supervisor;
    use tokio::sync::watch;
    use xrpayd_core::ids::UnixMs;

    fn engine(result: &str) -> SubmitAnswer {
        SubmitAnswer::Engine {
            result: result.into(),
            applied: false,
            queued: false,
            kept: false,
            validated_ledger: None,
        }
    }

    fn reduced(answers: Vec<SubmitAnswer>) -> Answer {
        let answers = answers
            .into_iter()
            .map(|answer| ("s".to_owned(), answer))
            .collect();
        reduce(SubmitReport {
            hash: TxHash([1; 32]),
            answers,
        })
        .answer
    }

    #[tokio::test]
    async fn nothing_is_sent_once_the_lease_has_run_out() {
        let supervisor = Supervisor::new();
        let clock = Arc::new(ManualClock::new(UnixMs(0)));
        let pool = Pool::without_servers(clock.clone(), supervisor.clone());
        let (_renew, until) = watch::channel(Duration::from_secs(5));
        let tenure = Tenure {
            wallet: "hot".to_owned(),
            epoch: 1,
            holder: "one".to_owned(),
        };
        let hold = Hold::new(tenure, until, clock.clone());
        let backlog = Backlog::default();
        let batch = || Outgoing {
            blobs: vec![(TxHash([1; 32]), vec![7].into())],
            mark: Mark::default(),
        };
        // No server is there: what is sent is told of as lost, and what is not sent not at all.
        let told = send(&pool, &hold, &backlog, batch()).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].answer, Answer::Lost);
        clock.advance(Duration::from_secs(5));
        assert_eq!(send(&pool, &hold, &backlog, batch()).await.len(), 0);
        supervisor.shutdown(Duration::from_secs(5)).await;
    }

    #[test]
    fn the_most_hopeful_answer_counts() {
        let lost = || SubmitAnswer::Unknown {
            why: "time-out".into(),
        };
        assert_eq!(
            reduced(vec![engine("tefPAST_SEQ"), engine("tesSUCCESS")]),
            Answer::Engine("tesSUCCESS".into())
        );
        assert_eq!(reduced(vec![engine("temBAD_FEE"), lost()]), Answer::Lost);
        assert_eq!(reduced(vec![engine("terNO_ACCOUNT"), lost()]), Answer::Lost);
        assert_eq!(
            reduced(vec![engine("terPRE_SEQ"), engine("terNO_ACCOUNT")]),
            Answer::Engine("terPRE_SEQ".into())
        );
        assert_eq!(reduced(vec![]), Answer::Lost);
    }

    #[test]
    fn a_busy_server_says_nothing_about_the_transaction() {
        for error in ["noNetwork", "tooBusy", "slowDown", "internal"] {
            assert_eq!(
                reduced(vec![SubmitAnswer::Refused {
                    error: error.into()
                }]),
                Answer::Lost
            );
        }
        let refused = SubmitAnswer::Refused {
            error: "invalidTransaction".into(),
        };
        assert_eq!(
            reduced(vec![refused]),
            Answer::Unparsable("invalidTransaction".into())
        );
    }
}
