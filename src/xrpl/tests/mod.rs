//! The pool against scripted servers, with time paused: states, bad input, agreement, submission.

mod agreement;
mod bad_input;
mod preflight;
mod reload;
mod setup;
mod states;
mod submission;
mod tickets;
mod tls;
mod world;
