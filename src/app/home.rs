//! Whose database this is: what was begun for a rehearsal is never gone on with for real money, nor the
//! other way round. Keys, payments and limits live in the database, so one that is of another place has
//! another place's keys.
//!
//! A database that was begun without a profile becomes that of the first profile that is named. A command
//! without a profile may look at any database but production's.

use crate::config::{Config, Profile};
use crate::store::{Home, Move, Store, StoreError, Whereabouts};
use xrpayd_core::ids::UnixMs;

/// Why a database is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum NotAtHome {
    /// It is somebody else's.
    #[error(
        "the database belongs to the profile {its_profile} on network {its_network}, and this is the profile \
         {profile} on network {network}"
    )]
    Elsewhere {
        /// The profile that it was begun with.
        its_profile: String,
        /// The network that it was begun for.
        its_network: u32,
        /// The profile that asks.
        profile: Profile,
        /// The network that asks.
        network: u32,
    },
    /// Its books are kept elsewhere.
    #[error(
        "the books of this database have been moved to {}, or are on their way there: run the daemon on that \
         one. `xrpayd store release` takes the move back", .0.other
    )]
    Left(Move),
    /// Its books are not all here.
    #[error(
        "the books of this database are still coming from {}: the copy was cut short or is under way. Run \
         the same `xrpayd store copy` again", .0.other
    )]
    Arriving(Move),
    /// The store cannot tell.
    #[error("the store cannot tell whose it is")]
    Store(#[from] StoreError),
}

/// What a profile and a network may do with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    /// It was begun without a profile, and has one from now on.
    Becomes,
    Refused,
}

fn judge(home: &Home, profile: Profile, network: u32) -> Verdict {
    if home.network_id != network {
        Verdict::Refused
    } else if home.profile == profile.name() {
        Verdict::Same
    } else if home.profile == Profile::Development.name() {
        Verdict::Becomes
    } else {
        Verdict::Refused
    }
}

fn elsewhere(home: Home, config: &Config) -> NotAtHome {
    NotAtHome::Elsewhere {
        its_profile: home.profile,
        its_network: home.network_id,
        profile: config.profile,
        network: config.network.id,
    }
}

/// Starts a daemon on the database, which is its own from then on.
///
/// # Errors
/// It is another's, or cannot be asked.
pub(super) async fn enter(store: &Store, config: &Config, now: UnixMs) -> Result<(), NotAtHome> {
    let own = Home {
        profile: config.profile.name().to_owned(),
        network_id: config.network.id,
    };
    let arrived = match store.whereabouts().await? {
        Whereabouts::Here => None,
        Whereabouts::Arrived(arrived) => Some(arrived),
        Whereabouts::Leaving(leaving) => return Err(NotAtHome::Left(leaving)),
        Whereabouts::Arriving(arriving) => return Err(NotAtHome::Arriving(arriving)),
    };
    let home = store.settle(&own, now).await?;
    settle_in(store, home, config).await?;
    match arrived {
        // From here on what is paid and received is known here alone: the move is not taken back.
        Some(arrived) if !store.use_arrived(&arrived.id, now).await? => {
            Err(NotAtHome::Arriving(arrived))
        }
        Some(_) | None => Ok(()),
    }
}

/// Takes a database for this profile's, where it is or may become it.
async fn settle_in(store: &Store, home: Home, config: &Config) -> Result<(), NotAtHome> {
    match judge(&home, config.profile, config.network.id) {
        Verdict::Same => Ok(()),
        Verdict::Becomes => {
            // Whoever was faster named the same profile, or the next start says so.
            store
                .move_home(&home.profile, config.profile.name())
                .await?;
            tracing::info!(profile = %config.profile, "the database belongs to this profile from now on");
            Ok(())
        }
        Verdict::Refused => Err(elsewhere(home, config)),
    }
}

/// Lets a command use the database.
///
/// # Errors
/// It is another's, or cannot be asked.
pub async fn visit(store: &Store, config: &Config) -> Result<(), NotAtHome> {
    // One whose books have left may be looked at, and refuses every change by itself.
    if let Whereabouts::Arriving(arriving) = store.whereabouts().await? {
        return Err(NotAtHome::Arriving(arriving));
    }
    owned(store, config).await
}

/// Whether the database is the configuration's, wherever its books are kept.
///
/// # Errors
/// It is another's, or cannot be asked.
pub(super) async fn owned(store: &Store, config: &Config) -> Result<(), NotAtHome> {
    let Some(home) = store.home().await? else {
        return Ok(());
    };
    let is_named = config.profile != Profile::Development;
    let is_real = home.profile == Profile::Production.name();
    match judge(&home, config.profile, config.network.id) {
        Verdict::Same | Verdict::Becomes => Ok(()),
        Verdict::Refused if home.network_id == config.network.id && !is_named && !is_real => Ok(()),
        Verdict::Refused => Err(elsewhere(home, config)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_without_a_profile_becomes_anothers() {
        let home = |profile: Profile| Home {
            profile: profile.name().to_owned(),
            network_id: 0,
        };
        use Profile::{Development, Production, Sandbox, Staging, Testnet};
        let all = [Development, Sandbox, Testnet, Staging, Production];
        for begun in all {
            for asks in all {
                let expected = match (begun, asks) {
                    (begun, asks) if begun == asks => Verdict::Same,
                    (Development, _) => Verdict::Becomes,
                    _ => Verdict::Refused,
                };
                assert_eq!(judge(&home(begun), asks, 0), expected, "{begun} {asks}");
                assert_eq!(judge(&home(begun), asks, 1), Verdict::Refused);
            }
        }
    }
}
