//! Whom a command is about: a wallet of the configuration, by its name, or any account, by its address.

use crate::cli::args::wallets_of;
use crate::cli::failure::Failure;
use crate::config::secrets::{self, BadRef};
use crate::config::{Config, SecretRef};
use secrecy::ExposeSecret as _;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use xrpayd_codec::Keypair;
use xrpayd_core::address::AccountId;

/// An account, and the wallet that it is, where it is one of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The account on the ledger.
    pub(super) account: AccountId,
    /// The name in the configuration.
    pub(super) wallet: Option<String>,
}

impl Subject {
    /// Finds it by its name or its address.
    ///
    /// # Errors
    /// It is neither.
    pub(super) fn find(config: &Config, text: &str) -> Result<Self, Failure> {
        if let Some(wallet) = config.wallets.get(text) {
            return Ok(Self {
                account: wallet.address,
                wallet: Some(text.to_owned()),
            });
        }
        let Ok(account) = AccountId::from_str(text) else {
            return Err(Failure::new(format!(
                "{text} is neither an address nor a wallet of the configuration: it has {}.",
                wallets_of(config)
            )));
        };
        Ok(Self::of(config, account))
    }

    /// The account, known by its wallet's name where it has one.
    pub(super) fn of(config: &Config, account: AccountId) -> Self {
        let mut wallets = config.wallets.iter();
        let wallet = wallets.find(|(_, wallet)| wallet.address == account);
        Self {
            account,
            wallet: wallet.map(|(name, _)| name.clone()),
        }
    }
}

/// Where a seed is kept, as it is given on the command line. What is no such reference is told when it is
/// used: the parser would repeat the argument, and it may be the seed.
#[derive(Clone)]
pub(super) struct SeedArg(Result<SecretRef, BadRef>);

impl FromStr for SeedArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

impl fmt::Debug for SeedArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a seed's reference")
    }
}

impl SeedArg {
    /// The key pair of the seed.
    ///
    /// # Errors
    /// It is no reference, or what it names cannot be read.
    pub(super) fn pair(&self) -> Result<Keypair, Failure> {
        let seed = self.0.as_ref();
        pair_of(seed.map_err(|bad| Failure::new(format!("What --seed is given {bad}.")))?)
    }
}

/// The key pair of a seed.
///
/// # Errors
/// It cannot be read.
pub(super) fn pair_of(seed: &SecretRef) -> Result<Keypair, Failure> {
    let seed = secrets::resolve(seed)
        .map_err(|error| Failure::because("The seed cannot be read.", error))?;
    Keypair::from_seed(seed.expose_secret().trim())
        .map_err(|error| Failure::new(format!("What the seed's reference names {error}.")))
}
