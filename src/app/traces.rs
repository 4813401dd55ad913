//! Brings spans to the collector: gathers them for a moment, posts them, tries again where that may help.
//!
//! Owns nothing that anybody waits for. A collector that is slow, away or refuses costs spans, which are
//! counted; what came before the end of the daemon is sent at its end, within a bound.

use super::AppError;
use super::build::Ground;
use crate::config::Config;
use crate::config::secrets::{self, SecretRef};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{Instance, Span, Spans, request_body};
use crate::webhooks::guard::{Plain, Policy, Private, SystemResolver};
use crate::webhooks::post::{Outcome, Poster};
use crate::xrpl::Roots;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where a collector takes traces, after its base URL.
const PATH: &str = "/v1/traces";
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often a batch is tried.
const TRIES_MAX: u32 = 4;
/// The wait after the first try; it doubles.
const WAIT: Duration = Duration::from_secs(1);
/// The longest that a collector's own word about it is believed.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the end of the daemon may wait for the collector.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long after each other the dropped ones are counted.
const COUNT: Duration = Duration::from_secs(1);
/// How long the same complaint is not repeated.
const COMPLAINT_PERIOD: Duration = Duration::from_secs(60);

/// What became of spans: the label of `trace_spans_total`.
const OUTCOMES: [&str; 4] = ["sent", "refused", "unreachable", "queue_full"];

/// Sends spans.
pub(super) struct Exporter {
    spans: Spans,
    /// What is being sent; kept here, so that the end of the daemon does not lose it.
    batch: Vec<Span>,
    poster: Poster,
    url: String,
    headers: HeaderMap,
    instance: Instance,
    ground: Ground,
    complained_at: Option<Instant>,
}

/// What came of one try.
enum Sent {
    /// The collector has them, but for so many that it would not take.
    Taken(u64),
    /// It will never take them.
    Refused,
    /// It may take them after a while.
    Later(Option<Duration>),
}

impl Exporter {
    /// An exporter to the collector at `base`.
    pub(super) fn new(
        (spans, base): (Spans, &str),
        config: &Config,
        ground: &Ground,
        replica: &str,
    ) -> Result<Self, AppError> {
        // The operator names one place, which often is a neighbour without TLS.
        let policy = Policy {
            plain: Plain::Allowed,
            private: Private::Allowed,
        };
        let roots = Roots::Bundled.store().as_ref().clone();
        let poster = Poster::new(Arc::new(SystemResolver), policy, roots, TIMEOUT)
            .map_err(|error| AppError::Traces(format!("TLS cannot be set up: {error}")))?;
        for outcome in OUTCOMES {
            let counted = &ground.metrics.trace_spans_total;
            counted.with_label_values(&[outcome]);
        }
        Ok(Self {
            spans,
            batch: Vec::new(),
            poster,
            url: format!("{base}{PATH}"),
            headers: headers(config.telemetry.otlp_headers.as_ref())?,
            instance: Instance {
                name: replica.to_owned(),
                profile: config.profile.name().to_owned(),
            },
            ground: ground.clone(),
            complained_at: None,
        })
    }

    /// Sends until it is cancelled, and then what waits.
    pub(super) async fn run(mut self, cancelled: CancellationToken) {
        let dropped = self.spans.dropped();
        let metrics = Arc::clone(&self.ground.metrics);
        tokio::select! {
            biased;
            () = cancelled.cancelled() => {}
            () = self.send_all() => {}
            () = count(&dropped, &metrics) => {}
        }
        let _cut_short = tokio::time::timeout(LAST_WORDS, self.last_words()).await;
        self.told("unreachable", self.batch.len());
        add_dropped(&dropped, &metrics);
    }

    async fn send_all(&mut self) {
        while let Some(first) = self.spans.next().await {
            self.batch.push(first);
            tokio::time::sleep(GATHER).await;
            self.gather();
            self.send().await;
        }
    }

    /// What waits is sent once; whoever is asked to end does not try again.
    async fn last_words(&mut self) {
        loop {
            self.gather();
            if self.batch.is_empty() {
                return;
            }
            match self.once().await {
                Sent::Taken(refused) => self.taken(refused),
                Sent::Refused => self.settled("refused"),
                Sent::Later(_) => return,
            }
        }
    }

    fn gather(&mut self) {
        while self.batch.len() < BATCH_MAX {
            match self.spans.waiting() {
                Some(span) => self.batch.push(span),
                None => return,
            }
        }
    }

    /// Sends the batch, as often as may help; afterwards there is none.
    async fn send(&mut self) {
        let mut wait = WAIT;
        for tried in 1..=TRIES_MAX {
            match self.once().await {
                Sent::Taken(refused) => return self.taken(refused),
                Sent::Refused => return self.settled("refused"),
                Sent::Later(_) if tried == TRIES_MAX => {}
                Sent::Later(asked) => {
                    tokio::time::sleep(asked.map_or(wait, |asked| asked.min(WAIT_MAX))).await;
                    wait = wait.saturating_mul(2);
                }
            }
        }
        self.settled("unreachable");
    }

    async fn once(&mut self) -> Sent {
        let body = Bytes::from(request_body(&self.instance, &self.batch));
        let now = self.ground.clock.now();
        let posted = self.poster.post(&self.url, self.headers.clone(), body, now);
        let answer = posted.await;
        let sent = match (answer.outcome, answer.status) {
            (Outcome::Delivered, _) => Sent::Taken(rejected(&answer.excerpt)),
            // By the protocol these four may be tried again, and so may what had no answer.
            (_, Some(429 | 502 | 503 | 504) | None) => Sent::Later(answer.retry_after),
            (_, Some(_)) => Sent::Refused,
        };
        if !matches!(sent, Sent::Taken(0)) {
            self.complain(answer.status, answer.error.as_deref());
        }
        sent
    }

    fn taken(&mut self, refused: u64) {
        let refused = usize::try_from(refused).unwrap_or(usize::MAX);
        let refused = refused.min(self.batch.len());
        self.told("refused", refused);
        self.told("sent", self.batch.len().saturating_sub(refused));
        self.batch.clear();
    }

    fn settled(&mut self, outcome: &str) {
        self.told(outcome, self.batch.len());
        self.batch.clear();
    }

    fn told(&self, outcome: &str, count: usize) {
        let counted = &self.ground.metrics.trace_spans_total;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        counted.with_label_values(&[outcome]).inc_by(count);
    }

    /// A collector's text is a stranger's, and is not logged.
    fn complain(&mut self, status: Option<u16>, error: Option<&str>) {
        let is_new = |at: Instant| at.elapsed() >= COMPLAINT_PERIOD;
        if self.complained_at.is_none_or(is_new) {
            self.complained_at = Some(Instant::now());
            tracing::warn!(
                http.status = status,
                error,
                "the collector does not take the traces"
            );
        }
    }
}

/// Tells what was dropped, whatever the collector does meanwhile.
async fn count(dropped: &AtomicU64, metrics: &Metrics) {
    let mut tick = tokio::time::interval(COUNT);
    loop {
        tick.tick().await;
        add_dropped(dropped, metrics);
    }
}

fn add_dropped(dropped: &AtomicU64, metrics: &Metrics) {
    let counted = &metrics.trace_spans_total;
    let count = dropped.swap(0, Ordering::Relaxed);
    counted.with_label_values(&["queue_full"]).inc_by(count);
}

/// How many spans of a request that was taken were not.
fn rejected(answer: &str) -> u64 {
    let Ok(answer) = serde_json::from_str::<serde_json::Value>(answer) else {
        return 0;
    };
    let count = &answer["partialSuccess"]["rejectedSpans"];
    let text = count.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| count.as_u64()).unwrap_or(0)
}

/// The headers of a secret: a line `name: value` each.
fn headers(reference: Option<&SecretRef>) -> Result<HeaderMap, AppError> {
    let mut map = HeaderMap::new();
    let Some(reference) = reference else {
        return Ok(map);
    };
    let bad = |why: String| AppError::Traces(format!("telemetry.otlp_headers {why}"));
    let text = secrets::resolve(reference).map_err(|error| bad(error.to_string()))?;
    let lines = text.expose_secret().lines().map(str::trim);
    for (place, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        // The line itself may be a secret.
        let unfit = || {
            bad(format!(
                "has no `name: value` in line {}",
                place.saturating_add(1)
            ))
        };
        let (name, value) = line.split_once(':').ok_or_else(unfit)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| unfit())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| unfit())?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}
