//! `xrpayd wallet generate` and `xrpayd wallet import`: a new key, or one that is there, into a file that
//! only its owner may read.
//!
//! A seed is never an argument, where other users of the machine and the shell's history would see it.
//! It is printed by `generate` alone, and only after the words that the operator must type.

use crate::cli::args::OutputArgs;
use crate::cli::failure::Failure;
use crate::cli::out;
use crate::cli::words;
use crate::clock::{Entropy as _, OsEntropy};
use crate::config::secrets::{self, SecretRef};
use crate::private_file;
use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use xrpayd_codec::{Algorithm, Keypair, encode_seed};
use zeroize::Zeroizing;

/// What has to be typed before a seed is shown.
const SHOW: &str = "show the seed";

/// Which kind of key.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Seeds begin with `sEd`.
    Ed25519,
    /// Seeds begin with `s`; what most older wallets use.
    Secp256k1,
}

/// Make a new key. Without --out the seed is shown, once, after the words that are asked for.
#[derive(Debug, Args)]
pub(in crate::cli) struct Generate {
    /// Which kind of key.
    #[arg(long, value_enum, default_value = "ed25519")]
    algorithm: Kind,
    /// Write the seed into this new file, for its owner alone to read, and show it nowhere.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Generate {
    /// Makes it.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        if self.out.is_none() {
            words::typed(
                "The seed of the new key will be shown, once. Whoever sees it can spend everything.",
                SHOW,
            )?;
        }
        let entropy =
            OsEntropy::new().map_err(|error| Failure::because("No key can be made.", error))?;
        let mut bytes = Zeroizing::new([0; 16]);
        entropy.fill(&mut *bytes);
        let algorithm = match self.algorithm {
            Kind::Ed25519 => Algorithm::Ed25519,
            Kind::Secp256k1 => Algorithm::Secp256k1,
        };
        let seed = encode_seed(algorithm, &bytes);
        let pair = Keypair::from_entropy(algorithm, &bytes)
            .map_err(|error| Failure::because("No key can be made.", error))?;
        let Some(path) = self.out else {
            let human = format!("{}\nseed: {}", human(&pair), *seed);
            let mut answer = document(&pair);
            answer["seed"] = json!(*seed);
            return self.output.print(&human, &answer);
        };
        keep(&path, &seed)?;
        told(self.output, &pair, &path)
    }
}

/// Take over a seed that is there: from a file or standard input into a file for the daemon.
#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// Where the seed is: a file, or `-` for standard input.
    #[arg(long = "in", value_name = "FILE")]
    from: PathBuf,
    /// The new file to write it into, for its owner alone to read.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

impl Import {
    /// Takes it over.
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        let seed = if self.from == Path::new("-") {
            from_stdin()?
        } else {
            secrets::resolve(&SecretRef::File(self.from))
                .map_err(|error| Failure::because("The seed cannot be read.", error))?
        };
        let text = seed.expose_secret().trim();
        let pair = Keypair::from_seed(text)
            .map_err(|error| Failure::new(format!("What was given {error}.")))?;
        keep(&self.out, text)?;
        told(self.output, &pair, &self.out)
    }
}

fn from_stdin() -> Result<SecretString, Failure> {
    // No copy that grows and leaves a half of the seed behind.
    let mut text = Zeroizing::new(String::with_capacity(secrets::SECRET_BYTES_MAX));
    let limit = u64::try_from(secrets::SECRET_BYTES_MAX).unwrap_or(u64::MAX);
    let read = std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text);
    read.map_err(|error| Failure::because("The seed cannot be read.", error))?;
    Ok(SecretString::from(text.trim()))
}

/// Writes a seed where nothing is yet.
fn keep(path: &Path, seed: &str) -> Result<(), Failure> {
    let line = Zeroizing::new(format!("{seed}\n"));
    private_file::write_new(path, line.as_bytes()).map_err(|error| {
        Failure::because(
            format!("The seed cannot be written to {}.", path.display()),
            error,
        )
    })
}

fn told(output: OutputArgs, pair: &Keypair, path: &Path) -> Result<(), Failure> {
    let path = path.display().to_string();
    let mut answer = document(pair);
    answer["file"] = json!(path);
    let human = format!("{}\nits seed is in {path}", human(pair));
    output.print(&human, &answer)?;
    out::note("Keep a second copy of the seed where no machine can reach it.");
    Ok(())
}

fn human(pair: &Keypair) -> String {
    format!(
        "address: {}\npublic key: {}",
        pair.account_id(),
        pair.public_key()
    )
}

fn document(pair: &Keypair) -> Value {
    json!({
        "address": pair.account_id().to_string(),
        "public_key": pair.public_key().to_string(),
    })
}
