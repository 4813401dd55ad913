//! Sends signed attempts to the servers, in the order of their sequences, and brings the answers
//! back. The only caller of the pool's `submit`; what it sends is durable already.

use crate::xrpl::{Pool, SubmitAnswer, SubmitReport};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xrpayd_core::ids::TxHash;
use xrpayd_core::ledger::codes::{self, OnSubmit};
use xrpayd_core::payment::Answer;

/// Bytes to send, in the order in which the ledger wants them.
pub type Outgoing = Vec<(TxHash, Arc<[u8]>)>;

/// What came of sending one attempt, over all servers it went to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The attempt.
    pub hash: TxHash,
    /// The most hopeful answer.
    pub answer: Answer,
}

/// Sends what comes through `outgoing` until cancelled or the engine is gone.
pub async fn run(
    pool: Pool,
    mut outgoing: mpsc::Receiver<Outgoing>,
    reports: mpsc::Sender<Vec<Report>>,
    cancel: CancellationToken,
) {
    let work = async {
        while let Some(batch) = outgoing.recv().await {
            let answered = pool.submit(&batch).await;
            let batch_reports = answered.into_iter().map(reduce).collect();
            if reports.send(batch_reports).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = work => {}
    }
}

/// One answer out of several. The most hopeful one counts: a single server that lags, or is on
/// another chain, must not make a sound attempt look malformed or our key look wrong.
fn reduce(report: SubmitReport) -> Report {
    let answer = report
        .answers
        .into_iter()
        .map(|(_, answer)| answer_of(answer))
        .min_by_key(despair)
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

fn despair(answer: &Answer) -> u8 {
    match answer {
        Answer::Engine(result) => match codes::on_submit(result) {
            OnSubmit::Wait => 0,
            OnSubmit::PerhapsDone => 1,
            OnSubmit::Ahead => 2,
            OnSubmit::Crowded => 3,
            OnSubmit::Elsewhere => 4,
            OnSubmit::OwnShortage => 5,
            OnSubmit::OwnFault => 7,
            OnSubmit::Never => 8,
        },
        Answer::Lost => 6,
        Answer::Unparsable(_) => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
