//! What people said of the checklist's items, and a look at a database that changes nothing.

use super::bed::*;
use xrpayd::store::{Actor, AuditFilter, AuditFrom, SignedItem, Store};
use xrpayd_core::ids::UnixMs;

const BY: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};

fn word(item: &str, by: &str, at: UnixMs, until: UnixMs) -> SignedItem {
    SignedItem {
        item: item.to_owned(),
        by: by.to_owned(),
        at,
        until,
        note: Some("seen it".to_owned()),
        about: None,
    }
}

on_both_stores! {
    async fn the_newest_word_on_an_item_counts_and_each_is_noted(bed) {
        let store = bed.open().await;
        assert_eq!(store.signed_items().await.unwrap(), []);
        let first = word("drill.restore", "Ada", T0, T0.plus_ms(90));
        let about = Some("hot rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh".to_owned());
        let other = SignedItem { about, ..word("drill.load", "Ada", T0, T0.plus_ms(90)) };
        store.sign_items(&[first.clone(), other.clone()], &BY).await.unwrap();
        let withdrawn = word("drill.restore", "Grace", T0.plus_ms(5), T0.plus_ms(5));
        store.sign_items(std::slice::from_ref(&withdrawn), &BY).await.unwrap();
        assert_eq!(store.signed_items().await.unwrap(), [other, withdrawn.clone()]);
        // A clock that was set back does not make a word older than the one before it.
        let back = word("drill.restore", "Ada", T0, T0.plus_ms(90));
        store.sign_items(&[back], &BY).await.unwrap();
        let newest = store.signed_items().await.unwrap().pop().unwrap();
        assert_eq!((newest.by.as_str(), newest.at), ("Ada", T0.plus_ms(6)));
        let filter = AuditFilter { action: Some("preflight.signed".to_owned()), ..AuditFilter::default() };
        let noted = store.audit_entries(&filter, AuditFrom::Newest, 10).await.unwrap();
        assert_eq!(noted.items.len(), 4);
    }

    async fn a_look_makes_and_migrates_nothing(bed) {
        let before = Store::schema(&bed.config()).await.unwrap();
        assert_eq!(before.found, None);
        assert_eq!(Store::schema(&bed.config()).await.unwrap(), before);
        let store = bed.open().await;
        let after = Store::schema(&bed.config()).await.unwrap();
        assert_eq!(after.found, Some(after.known));
        match store.server_settings().await.unwrap() {
            None => assert!(store.file().is_some()),
            Some(server) => assert!(server.connections_max > 10 && store.file().is_none()),
        }
    }
}
