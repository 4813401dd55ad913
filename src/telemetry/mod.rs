//! What the daemon tells its operators: metrics here, logs and health beside them.

pub mod health;
pub mod logs;
pub mod metrics;
pub mod traces;
pub mod units;
