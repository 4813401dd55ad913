//! From `tracing`'s spans to ours: collects what is said of a span while it lives and queues it when it
//! ends. Queueing never waits.

use super::context::{self, Context, sampled};
use super::span::{Kind, Span, Value};
use super::{REQUEST, TARGET, fields};
use crate::clock::{Clock, Entropy};
use crate::telemetry::logs::strike;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{self, Layer};
use tracing_subscriber::registry::{LookupSpan, Registry};
use xrpayd_core::ids::UnixMs;
use xrpayd_core::rollout::Ratio;

/// Spans that may wait for being sent: what a busy second leaves, as OpenTelemetry's own senders have it.
const QUEUE_MAX: usize = 2_048;
/// Attributes that are kept of one span; nobody here says as many.
const ATTRIBUTES_MAX: usize = 32;
/// What is kept of one text.
const TEXT_BYTES_MAX: usize = 256;

/// Takes part in the process's subscriber and queues spans.
pub struct TraceLayer {
    share: Ratio,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    queue: mpsc::Sender<Span>,
    dropped: Arc<AtomicU64>,
}

/// The other end of the queue.
pub struct Spans {
    queue: mpsc::Receiver<Span>,
    dropped: Arc<AtomicU64>,
}

/// A layer that keeps this share of the traces, and the spans that it queues.
#[must_use]
pub fn pair(share: Ratio, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> (TraceLayer, Spans) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let layer = TraceLayer {
        share,
        clock,
        entropy,
        queue: sender,
        dropped: Arc::clone(&dropped),
    };
    let spans = Spans {
        queue: receiver,
        dropped,
    };
    (layer, spans)
}

impl Spans {
    /// The next span; waits for one. `None` once nothing can come any more.
    pub async fn next(&mut self) -> Option<Span> {
        self.queue.recv().await
    }

    /// A span that waits already.
    pub fn waiting(&mut self) -> Option<Span> {
        self.queue.try_recv().ok()
    }

    /// How many were dropped since the last time, because nobody took them in time.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }
}

/// The `traceparent` under which a span asks somebody else; none where the span is not told of.
#[must_use]
pub fn traceparent(span: &tracing::Span) -> Option<String> {
    let found = span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        let span = registry.span(id)?;
        let live = span.extensions().get::<Live>()?.context();
        live.sampled.then(|| live.to_string())
    });
    found.flatten()
}

/// A span that has not ended.
struct Live {
    span: Span,
    since: Duration,
    /// Whether it is told when it ends.
    kept: bool,
    /// What the caller wants of that, until it is known who he is.
    wanted: Option<bool>,
}

impl Live {
    const fn context(&self) -> Context {
        Context {
            trace: self.span.trace,
            span: self.span.id,
            sampled: self.kept,
        }
    }
}

/// What is said of a span, sorted.
#[derive(Default)]
struct Said {
    of: Option<u128>,
    trace: Option<u128>,
    parent: Option<Context>,
    trusted: bool,
    took_us: u64,
    failed: bool,
    attributes: Vec<(&'static str, Value)>,
}

impl Said {
    fn add(&mut self, field: &Field, value: Value) {
        if self.attributes.len() < ATTRIBUTES_MAX {
            self.attributes.push((field.name(), value));
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            fields::OF => self.of = context::of_object(text),
            fields::PARENT => self.parent = Context::read(text),
            fields::TRACE => self.trace = context::hex(text, 32).filter(|trace| *trace != 0),
            _ => {
                let end = text.floor_char_boundary(TEXT_BYTES_MAX);
                self.add(field, Value::Text(strike(&text[..end]).into_owned()));
            }
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Number(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == fields::TOOK_US {
            self.took_us = value;
        } else {
            self.add(
                field,
                Value::Number(i64::try_from(value).unwrap_or(i64::MAX)),
            );
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            fields::FAILED => self.failed = value,
            fields::TRUSTED => self.trusted = value,
            _ => self.add(field, Value::Switch(value)),
        }
    }
}

impl TraceLayer {
    /// Whether a span is one of those that are told.
    #[must_use]
    pub fn takes(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && (metadata.target() == TARGET || metadata.name() == REQUEST)
    }

    /// The span's place: its trace, what it is below, and what it comes from.
    fn place(&self, said: &Said, name: &str, above: Option<Context>) -> Option<Live> {
        let mut span = Span {
            trace: 0,
            id: self.draw(),
            parent: None,
            name: "",
            kind: Kind::of(name),
            began_ns: 0,
            ended_ns: 0,
            attributes: Vec::new(),
            link: None,
            failed: false,
        };
        let mut wanted = None;
        let kept = if let Some(trace) = said.of {
            let root = Context::root_of(trace);
            // The object's own span is the root, under the identifier that the others know already.
            if name == "payment" {
                span.id = root;
            } else {
                span.parent = Some(root);
            }
            span.trace = trace;
            let above = above.filter(|above| above.sampled);
            span.link = above.map(|above| (above.trace, above.span));
            sampled(trace, self.share)
        } else if let Some(caller) = said.parent {
            (span.trace, span.parent) = (caller.trace, Some(caller.span));
            wanted = Some(caller.sampled);
            // The trace is of a stranger's choice as well: it would be one that every share has in it.
            sampled(self.draw_trace(), self.share)
        } else if let Some(above) = above {
            (span.trace, span.parent) = (above.trace, Some(above.span));
            above.sampled
        } else {
            span.trace = said.trace.unwrap_or_else(|| self.draw_trace());
            sampled(span.trace, self.share)
        };
        let live = Live {
            span,
            since: Duration::ZERO,
            kept,
            wanted,
        };
        (kept || wanted.is_some()).then_some(live)
    }

    fn draw(&self) -> u64 {
        let mut bytes = [0_u8; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes).max(1)
    }

    fn draw_trace(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        self.entropy.fill(&mut bytes);
        u128::from_le_bytes(bytes).max(1)
    }
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: layer::Context<'_, S>) {
        if !Self::takes(attributes.metadata()) {
            return;
        }
        let Some(span) = ctx.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let above = span
            .parent()
            .and_then(|above| above.extensions().get::<Live>().map(Live::context));
        let name = attributes.metadata().name();
        let Some(mut live) = self.place(&said, name, above) else {
            return;
        };
        let now = nanoseconds(self.clock.now());
        live.span.name = name;
        live.span.began_ns = now.saturating_sub(said.took_us.saturating_mul(1_000));
        live.span.ended_ns = now;
        live.span.attributes = said.attributes;
        live.span.failed = said.failed;
        live.since = self.clock.monotonic();
        span.extensions_mut().insert(live);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: layer::Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(live) = extensions.get_mut::<Live>() else {
            return;
        };
        let mut said = Said::default();
        values.record(&mut said);
        let room = ATTRIBUTES_MAX.saturating_sub(live.span.attributes.len());
        live.span
            .attributes
            .extend(said.attributes.into_iter().take(room));
        live.span.failed |= said.failed;
        if said.trusted
            && let Some(wanted) = live.wanted.take()
        {
            live.kept = wanted;
        }
    }

    fn on_close(&self, id: Id, ctx: layer::Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let ended = span.extensions_mut().remove::<Live>();
        let Some(Live {
            mut span,
            since,
            kept: true,
            ..
        }) = ended
        else {
            return;
        };
        let lived = self.clock.monotonic().saturating_sub(since);
        let lived = u64::try_from(lived.as_nanos()).unwrap_or(u64::MAX);
        span.ended_ns = span.ended_ns.saturating_add(lived);
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn nanoseconds(at: UnixMs) -> u64 {
    u64::try_from(at.0).unwrap_or(0).saturating_mul(1_000_000)
}
