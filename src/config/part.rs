//! A configuration with errors, as far as a command needs it that uses a few sections only.
//!
//! What is wrong in those sections, with the profile, with a file or with any secret stops it as it stops
//! every command. All other sections are put aside, and what is embedded stands there: nobody looks at it.

use super::layer::Layer;
use super::origin::{Origin, Problem};
use super::read::{Reader, pattern_of};
use super::schema::{Config, Profile};
use super::settings::{self, Kind};
use super::{build, checks};

/// What stands where a section is put aside that has no default for everything.
const STAND_INS: [(&str, &str); 3] = [
    ("network", "[network]\nid = 0\n"),
    ("store", "[store]\nurl = \"sqlite:///nobody.db\"\n"),
    (
        "xrpl",
        "[xrpl]\nservers = [\"wss://nobody.invalid\"]\nquorum = 1\n",
    ),
];

/// The configuration for a command that uses `sections`; `None` where what is wrong concerns it.
pub(super) fn of(
    reader: &Reader,
    profile: Option<Profile>,
    sections: &[&str],
    errors: &[Problem],
) -> Option<Config> {
    let concerns = |problem: &Problem| {
        let section = problem.section();
        section.is_empty()
            || section == "profile"
            || sections.contains(&section)
            || is_secret(&problem.key)
    };
    let profile = profile?;
    if errors.iter().any(concerns) {
        return None;
    }
    let aside = STAND_INS
        .iter()
        .filter(|(name, _)| !sections.contains(name));
    let stand_ins: String = aside.map(|(_, text)| *text).collect();
    let (stand_ins, _) = Layer::toml("stand-ins".to_owned(), &stand_ins, Origin::Default);
    let mut reader = reader.only(sections, stand_ins);
    let config = build::config(&mut reader, profile)?;
    let (found, _) = checks::check(&config, &reader);
    // What was put aside may have hidden an error of what is used.
    let is_sound = !reader.problems.iter().chain(&found).any(concerns);
    is_sound.then_some(config)
}

/// Whether a key is a secret's: one that stands there in the clear is to be taken away before anything.
fn is_secret(key: &str) -> bool {
    settings::find(&pattern_of(key)).is_some_and(|setting| setting.kind == Kind::Secret)
}
