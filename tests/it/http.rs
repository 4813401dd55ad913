//! The HTTP API over a real SQLite store, with everything that knows the ledger played by a stand-in.

mod access;
mod approvals;
mod audit;
mod bed;
mod callers;
mod deposits;
mod edges;
mod feed;
mod invoices;
mod limits;
mod lists;
mod openapi;
mod owasp;
mod pauses;
mod payments;
mod probes;
mod refusals;
mod rollout;
mod schema;
mod shape;
mod validation;
mod webhooks;
