//! API keys.

use super::bed::*;
use xrpayd::store::{Actor, ApiKey, Conflict, NewKey, StoreError};

const BY: Actor = Actor::Cli { uid: 1000 };

fn key(id: &str) -> NewKey {
    NewKey {
        id: id.to_owned(),
        client: CLIENT.to_owned(),
        secret_hash: [3; 32],
        scopes: vec!["payments:read".to_owned(), "payments:write".to_owned()],
        cidrs: vec!["10.0.0.0/8".to_owned()],
        expires_at: Some(T0.plus_ms(1)),
        created_at: T0,
        require_signature: true,
    }
}

fn as_found(new: NewKey) -> ApiKey {
    ApiKey {
        id: new.id,
        client: new.client,
        secret_hash: new.secret_hash,
        scopes: new.scopes,
        cidrs: new.cidrs,
        expires_at: new.expires_at,
        created_at: new.created_at,
        revoked_at: None,
        require_signature: new.require_signature,
    }
}

on_both_stores! {
    async fn a_key_is_found_as_it_was_made_and_once_only(bed) {
        let store = bed.open().await;
        store.create_key(&key("abc"), &BY).await.unwrap();
        assert_eq!(store.find_key("abc").await.unwrap(), Some(as_found(key("abc"))));
        assert_eq!(store.find_key("abd").await.unwrap(), None);
        assert_eq!(store.find_key("a\0c").await.unwrap(), None);
        let again = store.create_key(&key("abc"), &BY).await.unwrap_err();
        assert!(matches!(again, StoreError::Conflict(Conflict::ApiKey)), "{again:?}");
        let plain = NewKey { expires_at: None, require_signature: false, cidrs: Vec::new(), ..key("plain") };
        store.create_key(&plain, &BY).await.unwrap();
        assert_eq!(store.list_keys().await.unwrap(), [as_found(key("abc")), as_found(plain)]);
    }

    async fn a_key_is_revoked_once_and_keeps_its_day(bed) {
        let store = bed.open().await;
        store.create_key(&key("abc"), &BY).await.unwrap();
        assert!(store.revoke_key("abc", &BY, T0.plus_ms(5)).await.unwrap());
        assert!(!store.revoke_key("abc", &BY, T0.plus_ms(9)).await.unwrap());
        assert!(!store.revoke_key("nobody", &BY, T0).await.unwrap());
        let found = store.find_key("abc").await.unwrap().unwrap();
        assert_eq!(found.revoked_at, Some(T0.plus_ms(5)));
    }

    async fn a_key_that_does_not_decode_is_an_error_and_never_a_key(bed) {
        let store = bed.open().await;
        store.create_key(&key("abc"), &BY).await.unwrap();
        bed.raw("update api_keys set scopes = 'all'").await;
        let error = store.find_key("abc").await.unwrap_err();
        assert!(error.to_string().contains("API key abc"), "{error}");
    }
}
