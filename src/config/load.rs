//! Stacks the layers, reads the whole, and tells everything that is wrong at once.

use super::layer::Layer;
use super::origin::{Origin, Problem};
use super::read::Reader;
use super::schema::{Config, Profile};
use super::{build, checks, part};
use figment::value::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct LoadArgs {
    /// The profile of `--profile`.
    pub profile: Option<String>,
    /// The files of `--config`, in their order.
    pub files: Vec<PathBuf>,
    /// Whether the environment is read.
    pub env: bool,
    /// What the command itself supplies, below the files: a sandbox's servers and wallet.
    pub base: Vec<Override>,
    /// What options of the command line say, above all else.
    pub flags: Vec<Override>,
    /// How much of it is used.
    pub needs: Needs,
}

/// How much of a configuration a command uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Needs {
    /// All of it: nothing may be wrong.
    #[default]
    Whole,
    /// These sections, and the profile. What is wrong elsewhere is told and done without, so that the
    /// brake of an emergency does not wait for a mended alert threshold.
    Sections(&'static [&'static str]),
}

/// One value that a command supplies.
#[derive(Debug, Clone)]
pub struct Override {
    key: String,
    value: Value,
    origin: String,
}

impl Override {
    /// `key` is as `http.listen`, `value` a text, number, switch or list, `origin` is told to the
    /// operator, as `--http`.
    #[must_use]
    pub fn new(key: &str, value: impl Into<Value>, origin: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.into(),
            origin: origin.to_owned(),
        }
    }
}

/// A configuration that may be used.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every value that was set: its key, its text without any secret, and where it was written.
    pub origins: Vec<Shown>,
    /// What is doubtful.
    pub warnings: Vec<Problem>,
    /// What is wrong in sections that are not used.
    pub elsewhere: Vec<Problem>,
}

/// One value as it may be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// As `limits.max_payment_xrp`.
    pub key: String,
    /// Without any secret.
    pub value: serde_json::Value,
    /// Where it was written.
    pub origin: Origin,
}

/// Everything that is wrong with a configuration.
#[derive(Debug)]
pub struct ConfigErrors {
    /// At least one.
    pub errors: Vec<Problem>,
    /// What is doubtful besides.
    pub warnings: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            1 => f.write_str("the configuration has an error")?,
            count => write!(f, "the configuration has {count} errors")?,
        }
        for error in &self.errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Loads and checks the configuration.
///
/// # Errors
/// Every error there is, each with its origin.
pub fn load(args: LoadArgs) -> Result<Loaded, ConfigErrors> {
    let variables: Vec<(String, String)> = if args.env {
        // A variable that is not text cannot be a setting's; its name alone may still be one.
        std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                Some((name, value.to_string_lossy().into_owned()))
            })
            .collect()
    } else {
        Vec::new()
    };
    load_with(args, variables)
}

/// As [`load`], with the environment as an argument.
pub(super) fn load_with(
    args: LoadArgs,
    variables: Vec<(String, String)>,
) -> Result<Loaded, ConfigErrors> {
    let needs = args.needs;
    let mut problems = Vec::new();
    let mut add = |(layer, mut found): (Layer, Vec<Problem>)| {
        problems.append(&mut found);
        layer
    };
    let defaults = add(Layer::toml(
        "defaults".to_owned(),
        DEFAULTS,
        Origin::Default,
    ));
    let base = add((supplied("base", args.base), Vec::new()));
    let mut above: Vec<Layer> = vec![base];
    for (index, path) in args.files.iter().enumerate() {
        above.push(add(Layer::file(index, path)));
    }
    above.push(add(Layer::env(variables.into_iter())));
    above.push(supplied("flags", args.flags));

    let profile = match profile_of(args.profile.as_deref(), &above) {
        Ok(profile) => Some(profile),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let mut layers = vec![defaults];
    if let Some(profile) = profile {
        let (layer, mut found) = profile_layer(profile);
        problems.append(&mut found);
        layers.push(layer);
    }
    layers.append(&mut above);

    let mut reader = Reader::new(layers, problems);
    reader.refuse_unknown_keys();
    let config = build::config(&mut reader, profile.unwrap_or(Profile::Development));
    let mut errors = std::mem::take(&mut reader.problems);
    let (mut found, warnings) = match &config {
        Some(config) => checks::check(config, &reader),
        None => beyond(&reader, profile.unwrap_or(Profile::Development), &errors),
    };
    errors.append(&mut found);
    if let Needs::Sections(sections) = needs
        && !errors.is_empty()
        && let Some(config) = part::of(&reader, profile, sections, &errors)
    {
        return Ok(Loaded {
            origins: Vec::new(),
            config,
            warnings,
            elsewhere: errors,
        });
    }
    match config {
        Some(config) if errors.is_empty() => Ok(Loaded {
            origins: super::show::shown(&reader, profile.unwrap_or(Profile::Development)),
            config,
            warnings,
            elsewhere: Vec::new(),
        }),
        Some(_) | None => {
            assert!(
                !errors.is_empty(),
                "a configuration was refused without a reason"
            );
            Err(ConfigErrors { errors, warnings })
        }
    }
}

/// What the checks of the whole find although something cannot be read: they look at the configuration
/// without it. Sections with an error, and what is held against them, say nothing here: what they would
/// say next depends on how the error is mended.
fn beyond(reader: &Reader, profile: Profile, errors: &[Problem]) -> (Vec<Problem>, Vec<Problem>) {
    let section = |problem: &Problem| {
        let name = problem.section();
        // The caps of stages and the hard caps are held against each other.
        if name == "rollout" { "limits" } else { name }.to_owned()
    };
    let bad: BTreeSet<String> = errors.iter().map(section).collect();
    let mut spared = reader.without(errors.iter().map(|error| error.key.as_str()));
    let Some(config) = build::config(&mut spared, profile) else {
        return (Vec::new(), Vec::new());
    };
    let (mut found, mut doubts) = checks::check(&config, &spared);
    for problems in [&mut found, &mut doubts] {
        problems.retain(|problem| !bad.contains(&section(problem)));
    }
    (found, doubts)
}

/// The defaults alone, or with a profile on top.
pub(super) fn embedded(profile: Option<Profile>) -> Reader {
    let (defaults, mut problems) = Layer::toml("defaults".to_owned(), DEFAULTS, Origin::Default);
    let mut layers = vec![defaults];
    if let Some(profile) = profile {
        let (layer, mut found) = profile_layer(profile);
        layers.push(layer);
        problems.append(&mut found);
    }
    Reader::new(layers, problems)
}

fn profile_layer(profile: Profile) -> (Layer, Vec<Problem>) {
    let text = Profile::ALL
        .iter()
        .find_map(|(_, this, text)| (*this == profile).then_some(*text))
        .unwrap_or_default();
    let origin = Origin::Profile(profile.name().to_owned());
    Layer::toml("profile".to_owned(), text, origin)
}

fn supplied(id: &str, overrides: Vec<Override>) -> Layer {
    let mut layer = Layer::empty(id.to_owned(), Origin::Command(id.to_owned()));
    for Override { key, value, origin } in overrides {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        layer.insert(&path, value, Origin::Command(origin));
    }
    layer
}

/// The profile that the command line and the layers agree on. A quarrel or an unknown name is an
/// error, so that nothing meant for one place ever runs as another.
fn profile_of(named: Option<&str>, layers: &[Layer]) -> Result<Profile, Problem> {
    const KEY: &str = "profile";
    let flag = named.map(|name| (name.to_owned(), Origin::Command("--profile".to_owned())));
    let mut stated = flag.into_iter().collect::<Vec<(String, Origin)>>();
    for layer in layers {
        if let Some(value) = layer.top(KEY) {
            let origin = layer.origin_of(KEY);
            match value.as_str() {
                Some(name) => stated.push((name.to_owned(), origin)),
                None => return Err(Problem::new(KEY, Some(origin), "must be a text")),
            }
        }
    }
    let Some((first, first_origin)) = stated.first().cloned() else {
        return Ok(Profile::Development);
    };
    for (name, origin) in &stated {
        if *name != first {
            let message = format!("is not the profile that {first_origin} names: they must agree");
            return Err(Problem::new(KEY, Some(origin.clone()), message));
        }
    }
    Profile::ALL
        .iter()
        .find_map(|(name, profile, _)| (*name == first).then_some(*profile))
        .ok_or_else(|| {
            let names = Profile::ALL.map(|(name, _, _)| name).join(", ");
            let message = format!("is unknown: it must be one of {names}");
            Problem::new(KEY, Some(first_origin), message)
        })
}
