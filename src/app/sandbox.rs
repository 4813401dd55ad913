//! `xrpayd sandbox`: the daemon's main job with nothing else installed.
//!
//! Owns a folder: the model ledger's state, the daemon's database, the keys of both. Run again with
//! the same folder it carries on. The keys are kept in the clear there, readable by the owner alone:
//! they open nothing but play money. Everything listens on loopback.

use super::audit::Configured;
use super::keys::{self, KeyText};
use super::{AppError, Ready, RunOptions};
use crate::clock::{Clock as _, Entropy, OsEntropy, SystemClock};
use crate::config::{self, Config, LoadArgs, Loaded, Override};
use crate::private_file;
use crate::store::{Access, Actor, KeyLimits, NewKey, Store};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xrpayd_codec::{Algorithm, Keypair, encode_seed};
use xrpayd_core::money::Drops;
use xrpayd_sandbox::{CloseInterval, Network, NetworkConfig};

/// Servers of the model network: enough for the quorum with one to lose.
const SERVERS: usize = 3;
/// What the hot wallet begins with.
const WALLET_XRP: &str = "1000000";
/// What the account that the printed payment goes to begins with.
const CUSTOMER_XRP: &str = "100";
/// The name of the only wallet.
const WALLET: &str = "hot";

/// What the command line says.
#[derive(Debug, Clone)]
pub struct SandboxArgs {
    /// Where everything is kept.
    pub dir: PathBuf,
    /// Where the API listens, where it is not the configuration's word.
    pub http: Option<SocketAddr>,
    /// Where the metrics are, where it is not the configuration's word.
    pub metrics: Option<SocketAddr>,
    /// How often the model ledger closes.
    pub close_interval: Duration,
    /// Configuration files on top of the sandbox profile.
    pub files: Vec<PathBuf>,
    /// Print one line of JSON instead of the greeting.
    pub json: bool,
}

/// What a person or a program needs to use the sandbox.
#[derive(Debug, Serialize)]
pub struct Greeting {
    /// The base URL of the API.
    pub api: String,
    /// The URL of the metrics.
    pub metrics: String,
    /// The operator console.
    pub console: String,
    /// The model ledger's servers.
    pub ledger: Vec<String>,
    /// A key for payments.
    pub api_key: String,
    /// A key for everything.
    pub admin_key: String,
    /// The hot wallet's address.
    pub wallet: String,
    /// The folder.
    pub dir: String,
    /// An account to pay.
    #[serde(skip)]
    pub customer: String,
}

/// What the folder remembers between runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    wallet_seed: String,
    customer_seed: String,
    api_key: String,
    admin_key: String,
}

/// Runs the model ledger and the daemon until a signal. `greet` is told once both serve.
///
/// # Errors
/// Something could not start, or the daemon stopped by itself.
pub async fn run(
    args: SandboxArgs,
    greet: impl FnOnce(&Greeting) + Send + 'static,
) -> Result<(), AppError> {
    let folder = Folder::open(&args.dir)?;
    let wallet = keypair(&folder.secrets.wallet_seed)?.account_id();
    let customer = keypair(&folder.secrets.customer_seed)?.account_id();
    let network = Network::start(NetworkConfig {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)); SERVERS],
        close_interval: CloseInterval::Every(args.close_interval),
        state: Some(folder.path("ledger")),
        fund: vec![(wallet, xrp(WALLET_XRP)?), (customer, xrp(CUSTOMER_XRP)?)],
        ..NetworkConfig::default()
    })
    .await
    .map_err(|error| AppError::Sandbox(error.to_string()))?;
    let ledger: Vec<String> = network
        .addresses()
        .iter()
        .map(|address| format!("ws://{address}"))
        .collect();

    let loaded = load(&args, &folder, &ledger, &wallet.to_string())?;
    let configured = Configured::of(&loaded);
    let config = loaded.config;
    let store = open_store(&config).await?;
    // Everything that a merchant's backend may want to do, and nothing of the operator's.
    let scopes: Vec<&str> = keys::SCOPES
        .into_iter()
        .filter(|&scope| scope != "admin")
        .collect();
    ensure_key(&store, &folder.secrets.api_key, "sandbox", &scopes).await?;
    ensure_key(&store, &folder.secrets.admin_key, "admin", &keys::SCOPES).await?;
    store.close().await;
    let greeting = Greeting {
        api: String::new(),
        metrics: String::new(),
        console: String::new(),
        ledger,
        api_key: folder.secrets.api_key.clone(),
        admin_key: folder.secrets.admin_key.clone(),
        wallet: wallet.to_string(),
        dir: args.dir.display().to_string(),
        customer: customer.to_string(),
    };
    let on_ready = move |ready: Ready| {
        let api = format!("http://{}", ready.http);
        greet(&Greeting {
            console: format!("{api}/console"),
            metrics: format!("http://{}/metrics", ready.metrics),
            api,
            ..greeting
        });
    };
    let ended = super::run(
        config,
        RunOptions {
            on_ready: Some(Box::new(on_ready)),
            configured,
            ..RunOptions::default()
        },
    )
    .await;
    network.stop().await;
    ended
}

fn load(
    args: &SandboxArgs,
    folder: &Folder,
    ledger: &[String],
    wallet: &str,
) -> Result<Loaded, AppError> {
    let origin = "xrpayd sandbox";
    let base = vec![
        Override::new("network.id", 0_i64, origin),
        Override::new("xrpl.servers", ledger.to_vec(), origin),
        Override::new(&format!("wallets.{WALLET}.address"), wallet, origin),
        Override::new(
            &format!("wallets.{WALLET}.seed"),
            format!("file:{}", folder.path("wallet.seed").display()),
            origin,
        ),
        Override::new(
            "store.url",
            format!("sqlite://{}", folder.path("xrpayd.db").display()),
            origin,
        ),
    ];
    let mut flags = Vec::new();
    for (key, address, flag) in [
        ("http.listen", args.http, "--http"),
        ("telemetry.listen", args.metrics, "--metrics"),
    ] {
        if let Some(address) = address {
            flags.push(Override::new(key, address.to_string(), flag));
        }
    }
    let loaded = config::load(LoadArgs {
        profile: Some("sandbox".to_owned()),
        files: args.files.clone(),
        env: true,
        base,
        flags,
        ..LoadArgs::default()
    })
    .map_err(AppError::Config)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    Ok(loaded)
}

/// The sandbox's folder, made on the first run.
struct Folder {
    root: PathBuf,
    secrets: Secrets,
}

impl Folder {
    fn open(root: &Path) -> Result<Self, AppError> {
        let broken = |error: &dyn std::fmt::Display| {
            AppError::Sandbox(format!(
                "the folder {} cannot be used: {error}",
                root.display()
            ))
        };
        std::fs::create_dir_all(root).map_err(|error| broken(&error))?;
        let root = root.canonicalize().map_err(|error| broken(&error))?;
        let file = root.join("keys.json");
        let secrets = if file.exists() {
            let text = std::fs::read(&file).map_err(|error| broken(&error))?;
            serde_json::from_slice(&text).map_err(|error| broken(&error))?
        } else {
            let secrets = Secrets::generate()?;
            let text = serde_json::to_vec_pretty(&secrets).map_err(|error| broken(&error))?;
            private_file::write(&root.join("wallet.seed"), secrets.wallet_seed.as_bytes())
                .and_then(|()| private_file::write(&file, &text))
                .map_err(|error| broken(&error))?;
            secrets
        };
        Ok(Self { root, secrets })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Secrets {
    fn generate() -> Result<Self, AppError> {
        let entropy = OsEntropy::new().map_err(|error| AppError::Sandbox(error.to_string()))?;
        let seed = || {
            let mut bytes = [0_u8; 16];
            entropy.fill(&mut bytes);
            encode_seed(Algorithm::Ed25519, &bytes).to_string()
        };
        Ok(Self {
            wallet_seed: seed(),
            customer_seed: seed(),
            api_key: KeyText::draw(&entropy).text().to_string(),
            admin_key: KeyText::draw(&entropy).text().to_string(),
        })
    }
}

fn keypair(seed: &str) -> Result<Keypair, AppError> {
    Keypair::from_seed(seed).map_err(|error| AppError::Sandbox(error.to_string()))
}

fn xrp(text: &str) -> Result<Drops, AppError> {
    Drops::from_xrp(text).map_err(|error| AppError::Sandbox(error.to_string()))
}

/// Sees to it that the database knows the key `text`, which its owner keeps.
async fn ensure_key(
    store: &Store,
    text: &str,
    client: &str,
    scopes: &[&str],
) -> Result<(), AppError> {
    let key = KeyText::parse(text)
        .ok_or_else(|| AppError::Sandbox("a kept API key is not one".to_owned()))?;
    if store.find_key(&key.id).await?.is_some() {
        return Ok(());
    }
    let new = NewKey {
        id: key.id.clone(),
        client: client.to_owned(),
        secret_hash: key.secret_hash(),
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        cidrs: Vec::new(),
        expires_at: None,
        created_at: SystemClock::new().now(),
        require_signature: false,
        limits: KeyLimits::default(),
    };
    Ok(store.create_key(&new, &Actor::Daemon).await?)
}

/// Opens the store beside the daemon, for [`ensure_key`].
async fn open_store(config: &Config) -> Result<Store, AppError> {
    Ok(Store::open(&super::build::store_config(config)?, Access::Tool).await?)
}
