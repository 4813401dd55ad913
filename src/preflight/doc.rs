//! `docs/PREFLIGHT.md`, written from the items, so that it cannot ask anything else than the program does.

use super::items::{Answered, ITEMS};
use std::fmt::Write as _;

const HEAD: &str = "\
# Preflight

`xrpayd preflight` is the checklist before a deployment, as a program: a row an item, `pass`, `warn`,
`fail` or `manual`, each with what was seen. Run it on the machine, as the user and with the configuration
of the daemon, before the daemon starts and while it runs: it changes nothing, migrates nothing, and signs
nothing.

```sh
xrpayd preflight --config /etc/xrpayd/xrpayd.toml --profile production --report preflight.json
```

It exits with 0 only where nothing fails and no manual item is open; with 1 otherwise, and with 2 where it
was called wrongly. A warning stops nobody. With `--allow-open` open manual items do not either: for a
pipeline that asks before the people do. `--json` prints the report as a program reads it, `--report FILE`
keeps the same in a file.

What could not be found out fails, with the reason. A server, a database or a receiver that hangs costs its
own rows and no more than `--patience` (15 s).

Where the configuration itself has errors, `config.valid` is the only row: everything else would speak of a
configuration that no daemon starts with. Under the profile `production` the items `build.*` must pass;
elsewhere they warn.

## What people say

A manual item is signed for by name, and the word holds for the days that the item allows, or for fewer:

```sh
xrpayd preflight sign --item drill.restore --by 'Ada Lovelace' --note 'restored on db-2 in 14 min' --config …
```

The words are kept in the database, each with the user of the machine who ran the command, and noted in the
audit log (`preflight.signed`). The newest on an item counts, and is shown with its date. To withdraw one,
sign with `--valid-for 0d`.

`wallet.address_list` and `http.certificate` are answered by the program where `preflight.address_list` and
`preflight.public_url` are set, and by a person where they are not. The list is a text of somebody else's
keeping: on each line a wallet's name and its address, `#` begins a comment.
Without it a word on `wallet.address_list` is written down with the name and the address of every wallet of
the configuration, and holds for those alone: a wallet whose address has changed since, or that came later,
is open again.

## The items

This list is generated from the code; a test compares the two.
`UPDATE_DOCS=1 cargo test --lib preflight::doc` writes it anew.

| item | asks | answered by | where it is not so |
| --- | --- | --- | --- |
";

/// The whole page.
#[must_use]
pub fn preflight_md() -> String {
    let mut page = HEAD.to_owned();
    for item in ITEMS {
        let by = match item.answered {
            Answered::ByProgram => "the program".to_owned(),
            Answered::ByPerson { days } => format!("a person, for {days} days"),
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {by} | {} |",
            item.id, item.asks, item.remedy
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_repository_is_the_one_that_the_items_make() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PREFLIGHT.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, preflight_md()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, preflight_md(), "UPDATE_DOCS=1 writes it anew");
    }
}
