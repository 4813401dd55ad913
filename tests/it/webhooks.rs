//! Webhooks: the dispatcher on a real store against real receivers on this machine, with a clock that
//! is stepped by hand so that three days take a moment.

pub mod bed;
mod clients;
mod healing;
mod schedule;
mod secrets;
