//! `xrpayd preflight sign`: what a person says of an item that no program can see.

use crate::cli::args::{ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::{not_done, with_store};
use crate::clock::{Clock as _, SystemClock};
use crate::config::duration;
use crate::preflight::people::DAY_MS;
use crate::preflight::wallets::addresses;
use crate::preflight::{Answered, Item, find, items};
use crate::rfc3339::Rfc3339;
use crate::store::SignedItem;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// The longest name and the longest note.
const CHARS_MAX: usize = 500;

/// Say that an item of the checklist is so which no program can see.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The item, as the report names it; may be given several times.
    #[arg(long = "item", value_name = "ID", required = true, value_parser = manual_item)]
    items: Vec<&'static Item>,
    /// Who says so.
    #[arg(long, value_name = "NAME", value_parser = some_text)]
    by: String,
    /// What was looked at.
    #[arg(long, value_name = "TEXT", value_parser = some_text)]
    note: Option<String>,
    /// How long the word holds, as 30d; at most what the item allows, which it is without this. `0d`
    /// withdraws it.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    valid_for: Option<Duration>,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Sign {
    /// Writes it down.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?.config;
        let wallets = config.wallets.iter();
        let addresses = addresses(wallets.map(|(name, wallet)| (name.as_str(), wallet.address)));
        let now = SystemClock::new().now();
        let mut signed = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let longest_ms = match item.answered {
                Answered::ByPerson { days } => i64::from(days).saturating_mul(DAY_MS),
                Answered::ByProgram => 0,
            };
            let asked = self.valid_for.map(|longer| longer.as_millis());
            let asked_ms = asked.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
            if asked_ms.is_some_and(|asked| asked > longest_ms) {
                return Err(Failure::new(format!(
                    "A word on {} holds for {} days at most.",
                    item.id,
                    longest_ms / DAY_MS
                )));
            }
            signed.push(SignedItem {
                item: item.id.to_owned(),
                by: self.by.clone(),
                at: now,
                until: now.plus_ms(asked_ms.unwrap_or(longest_ms)),
                note: self.note.clone(),
                about: (*item == &items::WALLET_LISTED).then(|| addresses.clone()),
            });
        }
        let signed = with_store(&config, |store| async move {
            store
                .sign_items(&signed, &operator())
                .await
                .map_err(not_done("What was said cannot be written down."))?;
            Ok(signed)
        })
        .await?;
        let lines: Vec<String> = signed
            .iter()
            .map(|word| format!("{}: {} until {}", word.item, word.by, Rfc3339(word.until)))
            .collect();
        let answer = json!({
            "signed": signed.iter().map(|word| json!({
                "item": word.item,
                "by": word.by,
                "at": Rfc3339(word.at),
                "until": Rfc3339(word.until),
                "note": word.note,
                "about": word.about,
            })).collect::<Vec<_>>(),
        });
        self.output.print(&lines.join("\n"), &answer)
    }
}

/// An item that people answer.
fn manual_item(text: &str) -> Result<&'static Item, String> {
    match find(text) {
        Some(item) if item.answered != Answered::ByProgram => Ok(item),
        Some(_) => Err("is answered by the program, and by nobody's word".to_owned()),
        None => Err("is no item of the checklist; `xrpayd preflight` lists them".to_owned()),
    }
}

fn some_text(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim() != text || !(1..=CHARS_MAX).contains(&length) {
        return Err(format!(
            "must have 1 to {CHARS_MAX} characters, none of them space at its ends"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("must have no control characters".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_items_that_people_answer_are_signed_for() {
        assert_eq!(manual_item("drill.restore").unwrap().id, "drill.restore");
        for (bad, words) in [
            ("wallet.require_tag", "the program"),
            ("drill.nothing", "no item"),
        ] {
            let error = manual_item(bad).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        for bad in ["", " Ada", "a\nb", &"x".repeat(501)] {
            assert!(some_text(bad).is_err(), "{bad:?}");
        }
    }
}
