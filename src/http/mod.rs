//! The HTTP API: who may ask, what is asked, and what is answered.
//!
//! Owns the routes, the shapes and the problem documents; axum is known nowhere else. Thin: a handler
//! reads a request, asks the store or the view of what is running, and shows the answer. It sees the
//! store, `payments::accept`, `deposits::issue` and what `webhooks` shows of itself, never a ledger's
//! server or a key.
//!
//! On failure every answer is a problem document that says whether asking again makes sense and
//! whether something may have been done.

mod audit;
pub mod auth;
mod body;
mod compression;
mod cors;
mod denial;
mod deposits;
mod dto;
pub mod edges;
mod envelope;
mod events;
pub mod fence;
mod gate;
mod head;
mod health;
mod idempotency;
mod invoices;
mod limits;
mod metrics;
pub mod openapi;
pub mod origin;
mod pause;
mod paybacks;
mod payments;
pub mod problem;
mod qr;
mod query;
pub mod rate_limit;
mod refunds;
mod refusal;
mod returns;
mod revalidate;
mod rollout;
mod room;
mod router;
mod rulings;
mod serve;
mod servers;
pub mod signature;
pub mod state;
mod stream;
mod usage;
mod validate;
mod wallets;
mod webhook_deliveries;
mod webhook_endpoints;
mod wire;

pub use router::{metrics_router, router};
pub use serve::serve;
pub use state::{AppState, Live, Rules, Settings};
