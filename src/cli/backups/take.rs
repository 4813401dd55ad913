//! `xrpayd store backup`: a copy of an SQLite database that is looked through before it is believed.

use super::{KeepArgs, KeyArgs, tools};
use crate::app;
use crate::backup::{self, Kept, Place, Taken};
use crate::cli::args::{BOOKS, ConfigArgs, OutputArgs};
use crate::cli::failure::Failure;
use crate::cli::operator::operator;
use crate::cli::store::with_store;
use crate::config::Config;
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Back an SQLite database up while the daemon runs on it, and see that the copy is whole.
///
/// Writes the backup and a manifest beside it, and writes it down in the database. Nothing is ever written
/// over what is there.
#[derive(Debug, Args)]
pub(in crate::cli) struct Take {
    /// A folder, in which the backup gets a name of its own, or the name of a file that is not there.
    /// Without it: store.backup_dir of the configuration.
    #[arg(long, value_name = "DIR_OR_FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Take {
    /// Takes it, and tells what it is.
    pub(in crate::cli) async fn run(self) -> Result<(), Failure> {
        let config = self.config.load_part(BOOKS)?;
        let place = self.place(&config)?;
        let retention = match (&place, self.keep.retention()) {
            (Place::File(_), Some(_)) => {
                return Err(Failure::new(
                    "--keep is for a folder of backups, and --to names a file.",
                ));
            }
            (_, Some(given)) => Some(given),
            // The configured folder is kept as configured.
            (_, None) => self.to.is_none().then(|| app::backup::retention(&config)),
        };
        let tools = tools(self.key.resolve(Some(&config))?)?;
        let with = tools.clone();
        let to = place.clone();
        let taken = with_store(&config, |store| async move {
            backup::take(&store, &to, &operator(), &with)
                .await
                .map_err(|error| Failure::because("There is no new backup.", error))
        })
        .await?;
        let kept = match (&place, retention) {
            (Place::Folder(folder), Some(retention)) => {
                let pruned = app::backup::prune(folder, retention, tools.clock.now()).await;
                let kept = pruned.map_err(|error| {
                    let sentence = format!(
                        "The backup {} was taken, and the old ones could not be taken away.",
                        taken.file.display()
                    );
                    Failure::because(sentence, error)
                })?;
                Some(kept)
            }
            _ => None,
        };
        let document = json!({
            "taken": true,
            "file": taken.file,
            "manifest": taken.manifest,
            "kept": kept.as_ref().map(super::prune::document),
        });
        self.output.print(&text(&taken, kept.as_ref()), &document)
    }

    fn place(&self, config: &Config) -> Result<Place, Failure> {
        let configured = config.store.backups.dir.as_ref();
        match (&self.to, configured) {
            (Some(to), _) if to.is_dir() => Ok(Place::Folder(to.clone())),
            (Some(to), _) if to.to_string_lossy().ends_with('/') => {
                let sentence = format!("There is no folder {}.", to.display());
                Err(Failure::new(sentence))
            }
            (Some(to), _) => Ok(Place::File(to.clone())),
            (None, Some(folder)) => Ok(Place::Folder(folder.clone())),
            (None, None) => Err(Failure::new(
                "Nothing says where the backup goes: give --to, or set store.backup_dir.",
            )),
        }
    }
}

fn text(taken: &Taken, kept: Option<&Kept>) -> String {
    let manifest = &taken.manifest;
    let mut page = String::new();
    let _ = writeln!(page, "{}", taken.file.display());
    let _ = writeln!(
        page,
        "{} bytes, SHA-256 {}",
        manifest.bytes, manifest.sha256
    );
    if let Some(sealed) = &manifest.sealed {
        let _ = writeln!(
            page,
            "Sealed with the key that has the mark {}.",
            sealed.key
        );
    }
    if let Some(books) = &manifest.books {
        let rows: u64 = books.tables.iter().map(|table| table.rows).sum();
        let _ = writeln!(
            page,
            "{rows} rows in {} tables, schema {}",
            books.tables.len(),
            books.schema
        );
        if let Some(head) = &books.audit_head {
            let _ = writeln!(page, "The audit log's head: {head}");
        }
    }
    if let Some(kept) = kept {
        let _ = writeln!(page, "{}", super::prune::text(kept));
    }
    page.push_str("The backup was opened again and holds what the database held.");
    page
}
