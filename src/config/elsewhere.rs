//! Names of other environments: a secret, a database or a server that is called after a rehearsal is
//! not production's, however it came into its configuration.

/// Words that name a place where no real money is, as a whole part of a path or a name.
const WORDS: &[&str] = &[
    "staging",
    "stage",
    "sandbox",
    "testnet",
    "devnet",
    "altnet",
    "development",
    "preprod",
];

/// The first such word in a reference, a path or a URL.
#[must_use]
pub fn named_in(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    parts.find_map(|part| WORDS.iter().find(|word| **word == part).copied())
}

#[cfg(test)]
mod tests {
    use super::named_in;

    #[test]
    fn a_word_counts_as_a_whole_part_alone() {
        for (text, word) in [
            ("file:/run/secrets/staging/hot_seed", "staging"),
            ("postgres://db/xrpayd-STAGING", "staging"),
            ("sqlite:///var/lib/xrpayd/testnet.db", "testnet"),
            ("aws-sm:xrpayd/sandbox_seed", "sandbox"),
        ] {
            assert_eq!(named_in(text), Some(word), "{text}");
        }
        for text in [
            "file:/run/secrets/hot_wallet_seed",
            "postgres://backstage.example/xrpayd",
            "sqlite:///var/lib/contestnet.db",
        ] {
            assert_eq!(named_in(text), None, "{text}");
        }
    }
}
