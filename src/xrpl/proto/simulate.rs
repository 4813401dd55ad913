//! The answer to `simulate`: a hint about the open ledger of one server.

use serde::Deserialize;
use std::borrow::Cow;

/// The result. The metadata and the transaction that it echoes are not read.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Simulate<'a> {
    #[serde(borrow)]
    pub engine_result: Cow<'a, str>,
    #[serde(default)]
    pub applied: bool,
    pub ledger_index: u32,
}
