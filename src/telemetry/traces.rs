//! Traces: what a request and a payment spent their time on, for a collector that speaks OpenTelemetry.
//!
//! A request's span is in its caller's trace, by the W3C's `traceparent`, or in one of its own. Whether
//! it is kept is the caller's to say once it is known who he is; of a stranger's it is drawn. What
//! belongs to a payment is in the **payment's own trace**, whose identifier is the payment's: so every
//! replica, and every start, adds to the same trace without anybody having to remember it, and the
//! acceptance there is linked to the request. Invoices and deposits have traces by the same rule.
//!
//! A room tells a span by `tracing::info_span!` with the target [`TARGET`]; nobody else listens to that
//! target, so where traces are off it costs a comparison. Fields with a meaning of their own are listed
//! in [`fields`]; all others become attributes.
//!
//! Owns the way from a span to the [`Spans`] that somebody sends. It never waits: where they are not
//! taken as fast as they come they are dropped and counted. On failure nothing but traces is lost.

mod context;
mod layer;
mod otlp;
pub mod payment;
mod span;
#[cfg(test)]
mod tests;

pub use context::{Context, sampled};
pub use layer::{Spans, TraceLayer, pair, traceparent};
pub use otlp::{Instance, request_body};
pub use span::{Kind, Span, Value};

/// The target of spans that are told to a collector and not to the logs.
pub const TARGET: &str = "trace";

/// The name of the span of an HTTP request, which the logs show as well.
pub const REQUEST: &str = "http";

/// Fields of a span that say where it belongs instead of becoming an attribute.
pub mod fields {
    /// The public identifier of the object in whose trace the span is.
    pub const OF: &str = "trace.of";
    /// The trace that a request begins or goes on with; it stays an attribute for the logs' sake.
    pub const TRACE: &str = "trace.id";
    /// The `traceparent` that a request came with.
    pub const PARENT: &str = "trace.parent";
    /// Whether whoever sent that is known: before that his word does not say whether his trace is kept.
    pub const TRUSTED: &str = "trace.trusted";
    /// How long the work had taken, in microseconds, when the span was told at its end.
    pub const TOOK_US: &str = "span.took_us";
    /// Whether the work failed.
    pub const FAILED: &str = "span.failed";
}
