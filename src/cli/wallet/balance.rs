//! `xrpayd wallet balance`: what wallets hold on the ledger, as enough servers agree on it.
//!
//! The daemon is not asked and need not run; what it has promised is not taken off here, as the API's
//! wallets do.

use super::subject::Subject;
use super::way::no_errand;
use crate::app::errand;
use crate::app::key_change::{KeyChangeError, Standing, standing};
use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::xrpl::SignerList;
use clap::Args;
use serde_json::{Value, json};

/// Show what wallets hold on the ledger.
#[derive(Debug, Args)]
pub(in crate::cli) struct Balance {
    /// Wallets by name, or accounts by address. Without any: all of the configuration.
    #[arg(value_name = "NAME|ADDRESS")]
    subjects: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Balance {
    /// Shows it.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let names: Vec<String> = if self.subjects.is_empty() {
            config.wallets.keys().cloned().collect()
        } else {
            self.subjects
        };
        let subjects = names.iter().map(|name| Subject::find(&config, name));
        let subjects: Vec<Subject> = subjects.collect::<Result<_, _>>()?;
        let accounts = subjects.iter().map(|subject| subject.account).collect();
        let asked = &subjects;
        let found = errand::run(&config, accounts, |pool| async move {
            let mut found = Vec::new();
            for subject in asked {
                found.push(match standing(&pool, subject.account).await {
                    Ok(standing) => Some(standing),
                    Err(KeyChangeError::NoAccount(_)) => None,
                    Err(error) => return Err(error),
                });
            }
            Ok(found)
        })
        .await
        .map_err(no_errand)?
        .map_err(|error| Failure::because("The balance cannot be read.", error))?;
        let rows: Vec<(String, Value)> = subjects
            .iter()
            .zip(found)
            .map(|(subject, standing)| row(&config, subject, standing))
            .collect();
        let lines: Vec<&str> = rows.iter().map(|(line, _)| line.as_str()).collect();
        let documents: Vec<&Value> = rows.iter().map(|(_, document)| document).collect();
        self.output
            .print(&lines.join("\n"), &json!({ "wallets": documents }))
    }
}

fn row(config: &Config, subject: &Subject, found: Option<Standing>) -> (String, Value) {
    let address = subject.account.to_string();
    let name = subject.wallet.as_deref().unwrap_or(&address);
    let wallet = subject
        .wallet
        .as_ref()
        .and_then(|name| config.wallets.get(name));
    let mut document = json!({
        "wallet": subject.wallet,
        "address": address,
        "wallet_type": wallet.map(|wallet| &wallet.wallet_type),
        "exists": found.is_some(),
    });
    let Some(Standing {
        tip,
        setup,
        servers,
    }) = found
    else {
        return (format!("{name}: {address} does not exist"), document);
    };
    let root = setup.root;
    let reserve = tip.reserve_of(root.owner_count);
    let spendable = root.balance.saturating_sub(reserve);
    let more = json!({
        "at_ledger": tip.index.0,
        "servers": servers,
        "balance_xrp": root.balance.to_xrp(),
        "reserve_xrp": reserve.to_xrp(),
        "spendable_xrp": spendable.to_xrp(),
        "owner_count": root.owner_count,
        "sequence": root.sequence,
        "regular_key": root.regular_key.map(|key| key.to_string()),
        "master_disabled": setup.is_master_disabled(),
        "require_destination_tag": setup.requires_tag(),
        "tickets": setup.ticket_count,
        "signers": setup.signers.as_ref().map(signers),
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    let key = match (root.regular_key, setup.is_master_disabled()) {
        (Some(key), true) => format!("signed for by {key} alone"),
        (Some(key), false) => format!("signed for by its master key and {key}"),
        (None, true) => "its master key is disabled".to_owned(),
        (None, false) => "signed for by its master key".to_owned(),
    };
    let line = format!(
        "{name}: {address} has {} XRP, {} of it spendable, at ledger {}; {key}",
        root.balance.to_xrp(),
        spendable.to_xrp(),
        tip.index,
    );
    (line, document)
}

fn signers(list: &SignerList) -> Value {
    let signers = list.signers.iter();
    let signers: Vec<Value> = signers
        .map(|(signer, weight)| json!({ "address": signer.to_string(), "weight": weight }))
        .collect();
    json!({ "quorum": list.quorum, "signers": signers })
}
