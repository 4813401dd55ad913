//! Submission: the same blobs, in the same order, to several servers at once.
//!
//! A server that lacks earlier transactions of the account gets those first, once a connection.
//!
//! Nothing here decides anything: an answer is a hint, and a lost one is [`SubmitAnswer::Unknown`].
//! On each connection the blobs go out one behind the other without waiting for answers. Once one
//! server has answered them all, the others are waited for only a moment longer, so that a server
//! that has frozen holds nobody up; and while none has judged anything, further servers are tried.

use super::backlog::{Backlog, Due, Mark};
use super::error::RequestError;
use super::proto;
use super::proto::submit::{Submit, is_result_code};
use super::server::{Command, On, Pending, Reply, Server};
use super::shared::Shared;
use super::transport::Text;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use xrpayd_core::ids::{LedgerIndex, TxHash};

/// The longest wait for a first judgement before one more server is given the same blobs.
const PATIENCE_MAX: Duration = Duration::from_millis(400);

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

/// What came of one submission.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Submission {
    /// One report a blob, in the order in which they were given.
    pub reports: Vec<SubmitReport>,
    /// What servers judged of the earlier blobs that they lacked and so were given first.
    pub predecessors: Vec<SubmitReport>,
}

/// Whether bytes may still leave. It is asked when they are about to be written to the socket, however
/// long they waited for it.
#[derive(Clone)]
pub struct MaySend(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl MaySend {
    /// At any time.
    #[must_use]
    pub const fn always() -> Self {
        Self(None)
    }

    /// As long as `may` says so. Once it does not, the submissions of this sender are not to go on:
    /// what is kept back here counts as handed over on its connection.
    #[must_use]
    pub fn while_it(may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(may)))
    }

    pub(crate) fn still(&self) -> bool {
        self.0.as_ref().is_none_or(|may| may())
    }
}

impl fmt::Debug for MaySend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() {
            "Always"
        } else {
            "WhileIt"
        })
    }
}

/// What is submitted: a batch, and the open attempts among which it stands.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub backlog: &'a Backlog,
    pub mark: Mark,
    pub blobs: &'a [(TxHash, Arc<[u8]>)],
    pub may: &'a MaySend,
}

/// What one server has said so far.
#[derive(Default)]
struct Said {
    /// By the place in the batch.
    batch: Vec<Option<SubmitAnswer>>,
    predecessors: Vec<(TxHash, SubmitAnswer)>,
    /// Nothing more is to be expected of it.
    is_all: bool,
}

struct Told {
    name: String,
    said: Mutex<Said>,
}

impl Told {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends `work` to the first `copies` of `servers`, and to the next one for each that gives no
/// judgement at all, or gives none for as long as answers of those that were asked usually take.
pub(super) async fn submit(
    shared: &Shared,
    servers: Vec<Arc<Server>>,
    copies: usize,
    work: Work<'_>,
) -> Submission {
    // The hex is made once and shared by all servers.
    let params: Vec<String> = work.blobs.iter().map(|(_, blob)| params(blob)).collect();
    let told: Vec<Told> = servers
        .iter()
        .map(|server| Told {
            name: server.name().to_owned(),
            said: Mutex::new(Said {
                batch: vec![None; work.blobs.len()],
                predecessors: Vec::new(),
                is_all: false,
            }),
        })
        .collect();
    let mut spares = servers.iter().map(Arc::as_ref).zip(&told);
    let mut sending = FuturesUnordered::new();
    let send = |(server, told): (_, _)| send_all(server, work, &params, told);
    sending.extend(spares.by_ref().take(copies.max(1)).map(send));
    let mut asked = sending.len();
    let patience = |asked: usize| {
        let usual = servers.iter().take(asked).map(|server| server.patience());
        usual.max().unwrap_or(PATIENCE_MAX).min(PATIENCE_MAX)
    };
    let mut until = Instant::now() + patience(asked);
    let mut is_heard = false;
    while !sending.is_empty() {
        match tokio::time::timeout_at(until, sending.next()).await {
            Ok(Some(Heard::Something)) => {
                if !is_heard {
                    is_heard = true;
                    until = grace_ends(shared, &servers[..asked], &told);
                }
                continue;
            }
            Ok(Some(Heard::Nothing)) => {}
            Ok(None) => break,
            Err(_) if is_heard => break,
            // With nobody left to try, those that were asked have all the time there is.
            Err(_) if asked == servers.len() => {
                until = Instant::now() + shared.config.request_timeout
            }
            Err(_) => until = Instant::now() + patience(asked + 1),
        }
        if let Some(next) = spares.next() {
            sending.push(send(next));
            asked += 1;
        }
    }
    drop(sending);
    report(shared, told.into_iter().take(asked), work.blobs)
}

/// Until when the other servers that were asked are waited for, once one has judged the whole batch: a
/// moment, and the less of it the longer their answers are overdue already. Otherwise one that has frozen
/// would hold up every batch anew.
fn grace_ends(shared: &Shared, asked: &[Arc<Server>], told: &[Told]) -> Instant {
    let now = Instant::now();
    let owing = asked
        .iter()
        .zip(told)
        .filter(|(_, told)| !told.said().is_all);
    let left = owing.map(|(server, _)| {
        let overdue = server.health().overdue(now);
        shared.config.submit_grace.saturating_sub(overdue)
    });
    now + left.max().unwrap_or(Duration::ZERO)
}

/// Puts what the servers said in the order of the batch.
fn report(
    shared: &Shared,
    told: impl Iterator<Item = Told>,
    blobs: &[(TxHash, Arc<[u8]>)],
) -> Submission {
    let mut reports: Vec<SubmitReport> = blobs
        .iter()
        .map(|(hash, _)| SubmitReport {
            hash: *hash,
            answers: Vec::new(),
        })
        .collect();
    let mut earlier: BTreeMap<TxHash, Vec<(String, SubmitAnswer)>> = BTreeMap::new();
    for Told { name, said } in told {
        let said = said.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (report, answer) in reports.iter_mut().zip(said.batch) {
            let answer = answer.unwrap_or_else(|| SubmitAnswer::Unknown {
                why: "no answer yet".into(),
            });
            count(shared, &answer);
            report.answers.push((name.clone(), answer));
        }
        for (hash, answer) in said.predecessors {
            count(shared, &answer);
            let answers = earlier.entry(hash).or_default();
            answers.push((name.clone(), answer));
        }
    }
    let predecessors = earlier
        .into_iter()
        .map(|(hash, answers)| SubmitReport { hash, answers })
        .collect();
    Submission {
        reports,
        predecessors,
    }
}

fn params(blob: &[u8]) -> String {
    format!(r#","tx_blob":"{}""#, hex::encode_upper(blob))
}

/// Whether a server gave any judgement at all.
enum Heard {
    Something,
    Nothing,
}

/// Gives one server what it lacks and all of the batch, in order, and then collects the answers.
async fn send_all(server: &Server, work: Work<'_>, batch: &[String], told: &Told) -> Heard {
    let mut pending = VecDeque::new();
    let had_all = {
        // What another submission has yet to hand to this server comes before this one.
        let _turn = server.turn.lock().await;
        hand_over(server, work, batch, &mut pending).await
    };
    let nothing_due = had_all.is_ok() && pending.is_empty();
    let mut heard = if nothing_due {
        Heard::Something
    } else {
        Heard::Nothing
    };
    if let Err(error) = had_all {
        let why = error.to_string();
        let mut said = told.said();
        let unsaid = said.batch.iter_mut().filter(|answer| answer.is_none());
        unsaid.for_each(|answer| *answer = Some(SubmitAnswer::Unknown { why: why.clone() }));
    }
    for (due, pending) in pending {
        let answer = answer_of(server, pending.answer().await);
        if matches!(answer, SubmitAnswer::Engine { .. }) {
            heard = Heard::Something;
        }
        let mut said = told.said();
        match due.place.map(|place| said.batch.get_mut(place)) {
            Some(Some(slot)) => *slot = Some(answer),
            Some(None) | None => said.predecessors.push((due.hash, answer)),
        }
    }
    told.said().is_all = true;
    heard
}

/// Hands everything that is due to the server's connection. What it got is noted blob by blob, so
/// that a submission which is given up half way leaves the rest to the next.
async fn hand_over(
    server: &Server,
    work: Work<'_>,
    batch: &[String],
    pending: &mut VecDeque<(Due, Pending)>,
) -> Result<(), RequestError> {
    let Work {
        backlog,
        mark,
        blobs,
        may,
    } = work;
    let connection = server.health().connection;
    let name = server.name();
    for due in backlog.due(name, connection, mark, blobs) {
        let place = server.place(Command::Submit).await?;
        let text = match due.place.and_then(|nth| batch.get(nth)) {
            Some(text) => text,
            None => &params(&due.blob),
        };
        let on = On::Connection(connection, may.clone());
        let sent = server.hand_over(place, on, Command::Submit, text)?;
        if let Some(number) = due.number {
            backlog.given(name, connection, number);
        }
        pending.push_back((due, sent));
    }
    backlog.given_all(name, connection, mark);
    Ok(())
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
