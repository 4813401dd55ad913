//! `docs/CONFIG.md`, written from the table of settings and the embedded layers, so that it cannot
//! tell anything else than what the binary does.

use super::load::{DEFAULTS, embedded};
use super::reload::TAKEN_OVER;
use super::schema::Profile;
use super::settings::{self, SECTIONS, SETTINGS, Setting};
use std::fmt::Write as _;

const HEAD: &str = "\
# Configuration

This page is generated from the table of settings in the code; a test compares the two.
`UPDATE_DOCS=1 cargo test --lib config::doc` writes it anew.

## Layers

Later wins:

1. the defaults embedded in the binary (`config/default.toml`);
2. the profile, embedded as well (`config/sandbox.toml`, `testnet`, `staging`, `production`), named by
   `--profile NAME` or by `profile = \"NAME\"` in a file; without either it is `development`, which
   changes nothing. Where several places name one they must agree, and an unknown one stops the start;
3. each `--config FILE`, in the order given;
4. the environment: `XRPAYD__SECTION__KEY`, as in `XRPAYD__LIMITS__MAX_PAYMENT_XRP=5`. A list is
   written with commas or as a TOML array.

Tables are merged key by key; lists are replaced whole. An unknown key or variable is an error. All
errors are told at once, each with the file and line, variable or option it comes from:
`xrpayd config check`. The outcome, with the origin of each value: `xrpayd config show`.

## Values

Money is a decimal text, never a number: `\"12.5\"` (XRP), `\"2000\"` (drops). Durations are texts:
`\"200ms\"`, `\"30s\"`, `\"2m\"`, `\"24h\"`, `\"7d\"`. Shares are decimal texts between `\"0\"` and `\"1\"`.

A secret is never written down but referred to:

| reference | is |
| --- | --- |
| `file:PATH` | the text of the file, without the newline at its end. The file should be readable by the daemon alone |
| `env:NAME` | the environment variable; refused in production |
| `vault:PATH#FIELD`, `aws-sm:NAME` | understood, but this version cannot ask these stores and does not start with them |

## A daemon for one wallet

```toml
[network]
id = 0
[xrpl]
servers = [\"wss://…\", \"wss://…\"]
quorum = 2
[wallets.hot]
address = \"r…\"
seed = \"file:/run/secrets/hot_wallet_seed\"
[store]
url = \"sqlite:///var/lib/xrpayd/xrpayd.db\"
```

";

const CHECKS: &str = "\
## What production refuses

With `profile = production` the daemon does not start with: a server or network identifier of a public
test network; a `ws://` server that is not on this machine; fewer than two servers; a quorum of one
without a server of your own (`trusted = true`); authentication off; `network.sandbox`; a secret from the environment; log level debug or trace; a stage, be it the one
to start at or one that the operator wrote, whose caps exceed the hard caps; a payment cap above
10,000 XRP that is not acknowledged; a secret or a database that is called after another environment,
as in `xrpayd_staging`. A wallet with `require_regular_key` whose seed is the account's master key does
not start either, under any profile.

A database belongs to the profile and the network of its first start: a daemon of another profile or
network does not start on it, nor does a command that was given them. One that was begun without a
profile (`development`) becomes that of the first profile that is named.

A seed written where a reference belongs is an error under every profile.

## What is warned of

A payment cap above 10,000 XRP; debug logging; SQLite with more than one replica; no alert receiver
(staging and production); webhooks that may be sent in the clear or to private addresses (staging and
production); a password inside `store.url`; authentication off; a secret's file that
others may read, or that is not there; in production servers that are run by fewer operators than must
agree.

";

const RELOAD: &str = "\
SIGHUP makes a running daemon read the same files and variables again. All of it is read and checked
first; where anything is wrong the old configuration holds as it was, and the log says what is wrong.
Otherwise what follows is taken over at once, and noted in the audit log. Of `limits` and the caps of
`rollout` the strictest holds of what all replicas on one database say: a tightening on all as soon as
one is told, a loosening once all are. Other settings that differ
are named in the log and wait for the next start: ";

/// The whole page.
#[must_use]
pub fn config_md() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("## Settings\n\n");
    for setting in SETTINGS.iter().filter(|setting| !setting.key.contains('.')) {
        let _ = writeln!(page, "`{}`: {}\n", setting.key, setting.meaning);
    }
    for (section, word) in SECTIONS {
        let _ = writeln!(page, "### `[{section}]`\n\n{word}\n");
        let prefix = format!("{section}.");
        let mut rows = SETTINGS
            .iter()
            .filter(|setting| setting.key.starts_with(&prefix))
            .peekable();
        if rows.peek().is_none() {
            continue;
        }
        page.push_str("| setting | takes | default | meaning |\n| --- | --- | --- | --- |\n");
        for setting in rows {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                setting.key,
                setting.kind.words(),
                default_of(setting),
                setting.meaning
            );
        }
        page.push('\n');
    }
    page.push_str(CHECKS);
    let taken_over = TAKEN_OVER.map(|key| format!("`{key}`")).join(", ");
    let _ = writeln!(page, "## What a reload changes\n\n{RELOAD}{taken_over}.\n");
    let _ = write!(
        page,
        "## The embedded layers\n\nThe defaults:\n\n```toml\n{DEFAULTS}```\n"
    );
    for (name, _, text) in Profile::ALL {
        if !text.is_empty() {
            let _ = write!(page, "\nThe profile `{name}`:\n\n```toml\n{text}```\n");
        }
    }
    page
}

/// The default of a setting, and where a profile has another one, that too.
fn default_of(setting: &Setting) -> String {
    if setting.key.contains("[]") {
        return String::new();
    }
    let key = setting.key.replace("<name>", "*").replace("<address>", "*");
    let default = embedded(None).text_of(&key);
    let mut words = match &default {
        Some(text) => format!("`{text}`"),
        None => String::new(),
    };
    for (name, profile, _) in Profile::ALL {
        let own = embedded(Some(profile)).text_of(&key);
        // Lists of tables are shown whole at the end of the page.
        if let Some(own) = own.filter(|own| Some(own) != default.as_ref()) {
            let _ = write!(words, " {name}: `{own}`");
        }
    }
    let is_list = settings::has_children(setting.key);
    match words.trim() {
        "" if is_list => "see below".to_owned(),
        "" => String::new(),
        words => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIG.md");
        let page = config_md();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page,
            "docs/CONFIG.md is not what the settings say; write it anew with \
             `UPDATE_DOCS=1 cargo test --lib config::doc`"
        );
    }

    #[test]
    fn every_section_and_every_setting_is_in_the_manual() {
        let page = config_md();
        for setting in SETTINGS.iter() {
            assert!(
                page.contains(&format!("`{}`", setting.key)),
                "{}",
                setting.key
            );
            assert!(setting.meaning.ends_with('.'), "{}", setting.key);
        }
        assert!(page.contains("`xrpl.quorum` | whole number | `2`"));
        assert!(page.contains("`limits.max_pending` | whole number | `50` sandbox: `20000`"));
    }
}
