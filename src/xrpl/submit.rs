//! Submission: the same blobs, in the same order, to several servers at once.
//!
//! Nothing here decides anything: an answer is a hint, and a lost one is [`SubmitAnswer::Unknown`].
//! On each connection the blobs go out one behind the other without waiting for answers. Once one
//! server has answered them all, the others are waited for only a moment longer, so that a server
//! that has frozen holds nobody up; and while none has judged anything, further servers are tried.

use super::error::RequestError;
use super::proto;
use super::proto::submit::{Submit, is_result_code};
use super::server::{Command, Reply, Server};
use super::shared::Shared;
use super::transport::Text;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use xrpayd_core::ids::{LedgerIndex, TxHash};

/// What one server said to one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitAnswer {
    /// The server's engine judged it, provisionally.
    Engine {
        /// The result code.
        result: String,
        /// Whether it is in the server's open ledger.
        applied: bool,
        /// Whether it is in the server's queue.
        queued: bool,
        /// Whether the server will try it again by itself.
        kept: bool,
        /// The newest validated ledger the server knew of.
        validated_ledger: Option<LedgerIndex>,
    },
    /// The request was answered with an error; the engine did not see the blob.
    Refused {
        /// The error's name.
        error: String,
    },
    /// There is no answer. The server may have taken it.
    Unknown {
        /// Why there is none.
        why: String,
    },
}

/// What came of one blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitReport {
    /// The transaction.
    pub hash: TxHash,
    /// One answer a server that it went to.
    pub answers: Vec<(String, SubmitAnswer)>,
}

/// What one server has said so far; the place of each blob is that of the batch.
struct Told {
    name: String,
    answers: Mutex<Vec<Option<SubmitAnswer>>>,
}

impl Told {
    fn answers(&self) -> MutexGuard<'_, Vec<Option<SubmitAnswer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends `blobs` to the first `copies` of `servers`, and to the next one for each that gives no
/// judgement at all, or gives none for a while.
pub(super) async fn submit(
    shared: &Shared,
    servers: Vec<Arc<Server>>,
    copies: usize,
    blobs: &[(TxHash, Arc<[u8]>)],
) -> Vec<SubmitReport> {
    // The hex is made once and shared by all servers.
    let params: Vec<String> = blobs
        .iter()
        .map(|(_, blob)| format!(r#","tx_blob":"{}""#, hex::encode_upper(blob)))
        .collect();
    let told: Vec<Told> = servers
        .iter()
        .map(|server| Told {
            name: server.name().to_owned(),
            answers: Mutex::new(vec![None; blobs.len()]),
        })
        .collect();
    let mut spares = servers.iter().map(Arc::as_ref).zip(&told);
    let mut sending = FuturesUnordered::new();
    let send = |(server, told): (_, _)| send_all(server, &params, told);
    sending.extend(spares.by_ref().take(copies.max(1)).map(send));
    let mut asked = sending.len();
    let mut until = Instant::now() + shared.config.hedge_after;
    let mut is_heard = false;
    while !sending.is_empty() {
        match tokio::time::timeout_at(until, sending.next()).await {
            Ok(Some(Heard::Something)) => {
                if !is_heard {
                    is_heard = true;
                    until = Instant::now() + shared.config.submit_grace;
                }
                continue;
            }
            Ok(Some(Heard::Nothing)) => {}
            Ok(None) => break,
            Err(_) if is_heard => break,
            Err(_) => until = Instant::now() + shared.config.hedge_after,
        }
        if let Some(next) = spares.next() {
            sending.push(send(next));
            asked += 1;
        }
    }
    drop(sending);
    let mut reports: Vec<SubmitReport> = blobs
        .iter()
        .map(|(hash, _)| SubmitReport {
            hash: *hash,
            answers: Vec::with_capacity(told.len()),
        })
        .collect();
    for Told { name, answers } in told.into_iter().take(asked) {
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (report, answer) in reports.iter_mut().zip(answers) {
            let answer = answer.unwrap_or_else(|| SubmitAnswer::Unknown {
                why: "no answer yet".into(),
            });
            count(shared, &answer);
            report.answers.push((name.clone(), answer));
        }
    }
    reports
}

/// Whether a server gave any judgement at all.
enum Heard {
    Something,
    Nothing,
}

/// Sends everything to one server, in order, and then collects the answers.
async fn send_all(server: &Server, params: &[String], told: &Told) -> Heard {
    let mut pending = Vec::with_capacity(params.len());
    for params in params {
        pending.push(server.begin(Command::Submit, params).await);
    }
    let mut heard = Heard::Nothing;
    for (place, pending) in pending.into_iter().enumerate() {
        let reply = match pending {
            Ok(pending) => pending.answer().await,
            Err(error) => Err(error),
        };
        let answer = answer_of(server, reply);
        if matches!(answer, SubmitAnswer::Engine { .. }) {
            heard = Heard::Something;
        }
        if let Some(slot) = told.answers().get_mut(place) {
            *slot = Some(answer);
        }
    }
    heard
}

fn answer_of(server: &Server, reply: Reply) -> SubmitAnswer {
    let unknown = |error: RequestError| SubmitAnswer::Unknown {
        why: error.to_string(),
    };
    match reply {
        Ok(answer) => match answer.error {
            Some(error) => SubmitAnswer::Refused { error },
            None => engine(server, &answer.frame).unwrap_or_else(unknown),
        },
        Err(error) => unknown(error),
    }
}

fn engine(server: &Server, frame: &Text) -> Result<SubmitAnswer, RequestError> {
    let submit: Submit<'_> =
        proto::result(frame).map_err(|error| server.malformed(Command::Submit, error))?;
    if !is_result_code(&submit.engine_result) {
        return Err(server.malformed(Command::Submit, "engine_result is not a result code"));
    }
    Ok(SubmitAnswer::Engine {
        result: submit.engine_result.into_owned(),
        applied: submit.applied,
        queued: submit.queued,
        kept: submit.kept,
        validated_ledger: submit.validated_ledger_index.map(LedgerIndex),
    })
}

fn count(shared: &Shared, answer: &SubmitAnswer) {
    let label = match answer {
        SubmitAnswer::Engine { result, .. } => result.as_str(),
        SubmitAnswer::Refused { .. } => "refused",
        SubmitAnswer::Unknown { .. } => "unknown",
    };
    shared
        .deps
        .metrics
        .xrpl_submissions_total
        .with_label_values(&[label])
        .inc();
}
