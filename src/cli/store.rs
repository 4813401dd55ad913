//! The store as a command uses it, beside a daemon that may be running on it.

use super::failure::Failure;
use crate::app::{home, store_config};
use crate::config::Config;
use crate::store::{Access, Store, StoreConfig, StoreError};
use std::future::Future;

/// Opens the store of a configuration, does `work` with it and closes it again.
///
/// # Errors
/// The store cannot be opened, or the work failed.
pub(super) async fn with_store<T, F, Done>(config: &Config, work: F) -> Result<T, Failure>
where
    F: FnOnce(Store) -> Done,
    Done: Future<Output = Result<T, Failure>>,
{
    let settings = store_config(config)
        .map_err(|error| Failure::because("The store cannot be opened.", error))?;
    let settings = StoreConfig {
        // A command listens to nobody.
        listen_url: None,
        // A command does one thing after the other.
        max_connections: 1,
        ..settings
    };
    let store = Store::open(&settings, Access::Tool)
        .await
        .map_err(|error| Failure::because("The store cannot be opened.", error))?;
    let done = match home::visit(&store, config).await {
        Ok(()) => work(store.clone()).await,
        Err(error) => Err(Failure::because(
            "The store is not this configuration's.",
            error,
        )),
    };
    store.close().await;
    done
}

/// A failure of the store in a sentence that says what was not done.
pub(super) fn not_done(sentence: &str) -> impl FnOnce(StoreError) -> Failure {
    let sentence = sentence.to_owned();
    move |error| Failure::because(sentence, error)
}
