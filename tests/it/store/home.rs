//! Whose a database is.

use super::bed::*;
use xrpayd::store::Home;

fn home(profile: &str, network_id: u32) -> Home {
    Home {
        profile: profile.to_owned(),
        network_id,
    }
}

on_both_stores! {
    async fn a_database_belongs_to_who_starts_on_it_first(bed) {
        let store = bed.open().await;
        assert_eq!(store.home().await.unwrap(), None);
        let staging = home("staging", 1);
        assert_eq!(store.settle(&staging, T0).await.unwrap(), staging);
        let late = store.settle(&home("production", 0), T0.plus_ms(1)).await.unwrap();
        assert_eq!(late, staging);
        assert_eq!(store.home().await.unwrap(), Some(staging));
        assert!(!store.move_home("development", "production").await.unwrap());
        assert!(store.move_home("staging", "testnet").await.unwrap());
        assert_eq!(store.home().await.unwrap(), Some(home("testnet", 1)));
    }
}
