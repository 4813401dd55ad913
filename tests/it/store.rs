//! One conformance suite for both stores: what SQLite passes, PostgreSQL passes.
//!
//! Every test has a database of its own. The server comes from XRPAYD_TEST_POSTGRES_URL, which
//! `make test` sets; without it the PostgreSQL half is left out, which is said, and under CI fails.

#[macro_use]
pub mod bed;

mod abandoned;
mod accept;
mod approval;
mod audit;
mod backfill;
mod backups;
mod contention;
mod copy;
mod deposits;
mod feed;
mod foreign;
mod forgotten;
mod hints;
mod home;
mod invoices;
mod keys;
mod lane;
mod lane_views;
mod leases;
mod limit_words;
mod limits;
mod lineage;
mod list;
mod older;
mod opening;
mod overlap;
mod pauses;
mod paybacks;
mod pooler;
mod promotion;
mod races;
mod renewals;
mod rollout;
mod routes;
mod scopes;
mod sign_offs;
mod standby;
mod strictness;
mod taking;
mod tickets;
mod timeouts;
mod tls;
mod webhooks;

pub use bed::{fresh_postgres, request, waiters};
