//! The integration tests of the daemon, in one binary: real stores, real sockets, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    missing_docs
)]

mod alerts;
mod cli;
mod deployment;
mod drills;
mod grafana;
mod http;
mod logs;
mod pool;
mod rules;
mod store;
mod support;
mod survival;
mod webhooks;
