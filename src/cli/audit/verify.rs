//! `xrpayd audit verify`: every entry of the audit log against its hashes. It may run beside a daemon.

use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::store::{not_done, with_store};
use crate::store::{AuditFault, AuditHead};
use clap::Args;
use serde_json::{Value, json};

/// Hold every entry against its hashes. Fails where anything was changed, and names the first entry that
/// was.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// A head that was kept outside of the database, as an earlier `audit verify` or the daemon's log shows
    /// it; may be given several times. It tells a log that was written anew from beginning to end.
    #[arg(long = "head", value_name = "SEQUENCE:HASH")]
    kept: Vec<AuditHead>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Verify {
    /// Verifies.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let kept = self.kept;
        let (report, kept) = with_store(&config, |store| async move {
            let report = store
                .verify_audit(&kept)
                .await
                .map_err(not_done("The audit log cannot be read."))?;
            Ok((report, kept.len()))
        })
        .await?;
        let is_whole = report.faults.is_empty();
        let mut lines: Vec<String> = report
            .faults
            .iter()
            .map(|fault| format!("BROKEN  {fault}"))
            .collect();
        let through = report.head;
        lines.push(match (is_whole, kept) {
            (true, 0) => format!("The log is whole. Its head, to be kept elsewhere: {through}"),
            (true, _) => format!("The log is whole, and holds what was kept. Its head: {through}"),
            (false, _) => format!("Up to here it is whole by itself: {through}"),
        });
        let answer = json!({
            "whole": is_whole,
            "entries": through.sequence,
            "head": through.to_string(),
            "faults": report.faults.iter().map(document).collect::<Vec<_>>(),
        });
        self.output.print(&lines.join("\n"), &answer)?;
        match report.faults.first() {
            None => Ok(()),
            Some(first) => Err(Failure::because("The audit log is not whole.", first)),
        }
    }
}

fn document(fault: &AuditFault) -> Value {
    json!({
        "kind": fault.kind(),
        "sequence": fault.sequence(),
        "detail": fault.to_string(),
    })
}
