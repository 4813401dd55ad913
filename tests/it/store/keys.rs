//! API keys.

use super::bed::*;
use xrpayd::store::{
    Actor, ApiKey, Conflict, KeyCount, KeyLimits, NewKey, PreviousSecret, Rotation,
    RotationOutcome, StoreError,
};

const BY: Actor = Actor::Cli {
    uid: 1000,
    said: None,
};

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
        limits: KeyLimits::default(),
    }
}

fn as_found(new: NewKey) -> ApiKey {
    ApiKey {
        id: new.id,
        client: new.client,
        secret_hash: new.secret_hash,
        previous: None,
        scopes: new.scopes,
        cidrs: new.cidrs,
        expires_at: new.expires_at,
        created_at: new.created_at,
        rotated_at: None,
        revoked_at: None,
        last_used_at: None,
        require_signature: new.require_signature,
        limits: new.limits,
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

    async fn a_rotated_key_has_a_new_secret_and_is_otherwise_what_it_was(bed) {
        let store = bed.open().await;
        let made = NewKey { expires_at: None, ..key("abc") };
        store.create_key(&made, &BY).await.unwrap();
        let rotation = |secret, at: i64, until: i64| Rotation {
            id: "abc",
            secret_hash: [secret; 32],
            at: T0.plus_ms(at),
            previous_until: T0.plus_ms(until),
            expires_at: None,
        };
        let outcome = store.rotate_key(&rotation(4, 10, 100), &BY).await.unwrap();
        assert_eq!(outcome, RotationOutcome::Rotated(as_found(made.clone())));
        let now = store.find_key("abc").await.unwrap().unwrap();
        let rotated = ApiKey {
            secret_hash: [4; 32],
            previous: Some(PreviousSecret { hash: [3; 32], until: T0.plus_ms(100) }),
            rotated_at: Some(T0.plus_ms(10)),
            ..as_found(made)
        };
        assert_eq!(now, rotated);
        // The secret before the last one is gone, whatever its time was.
        let later = Rotation { expires_at: Some(T0.plus_ms(50)), ..rotation(5, 20, 20) };
        assert_eq!(store.rotate_key(&later, &BY).await.unwrap(), RotationOutcome::Rotated(rotated));
        let now = store.find_key("abc").await.unwrap().unwrap();
        assert_eq!(now.previous, Some(PreviousSecret { hash: [4; 32], until: T0.plus_ms(20) }));
        assert_eq!((now.secret_hash, now.expires_at), ([5; 32], Some(T0.plus_ms(50))));
        // A key that has ended stays that.
        let late = store.rotate_key(&rotation(6, 50, 99), &BY).await.unwrap();
        assert_eq!(late, RotationOutcome::Ended(now.clone()));
        assert!(store.revoke_key("abc", &BY, T0.plus_ms(30)).await.unwrap());
        let revoked = store.rotate_key(&rotation(6, 40, 99), &BY).await.unwrap();
        assert!(matches!(revoked, RotationOutcome::Ended(_)), "{revoked:?}");
        let nobody = Rotation { id: "nobody", ..rotation(6, 40, 99) };
        assert_eq!(store.rotate_key(&nobody, &BY).await.unwrap(), RotationOutcome::NotFound);
    }

    async fn counts_of_keys_add_up_over_replicas_and_leave_with_the_window(bed) {
        let store = bed.open().await;
        store.create_key(&key("abc"), &BY).await.unwrap();
        let count = |key: &str, minute, count| KeyCount { key: key.to_owned(), minute, count };
        let mut known = store.count_keys(
            &[count("abc", 70, 2), count("abc", 71, 3), count("other", 71, 1)],
            &[("abc".to_owned(), T0.plus_ms(9)), ("anonymous".to_owned(), T0)],
            60,
        ).await.unwrap();
        known.sort_by_key(|count| (count.key.clone(), count.minute));
        assert_eq!(known, [count("abc", 70, 2), count("abc", 71, 3), count("other", 71, 1)]);
        let replica = bed.try_open(xrpayd::store::Access::Tool).await.unwrap();
        let earlier = [("abc".to_owned(), T0.plus_ms(3))];
        let known = replica.count_keys(&[count("abc", 71, 4)], &earlier, 71).await.unwrap();
        assert_eq!(known, [count("abc", 71, 7)]);
        let mut all = store.key_counts(0).await.unwrap();
        all.sort_by_key(|count| count.key.clone());
        assert_eq!(all, [count("abc", 71, 7), count("other", 71, 1)]);
        assert_eq!(store.key_counts(72).await.unwrap(), []);
        let found = store.find_key("abc").await.unwrap().unwrap();
        assert_eq!(found.last_used_at, Some(T0.plus_ms(9)));
        replica.close().await;
    }

    async fn a_signature_is_good_once_on_whichever_replica_and_after_a_restart(bed) {
        let store = bed.open().await;
        let until = T0.plus_ms(300_000);
        assert!(store.use_signature([7; 32], until).await.unwrap());
        let replica = bed.try_open(xrpayd::store::Access::Tool).await.unwrap();
        assert!(!replica.use_signature([7; 32], until).await.unwrap());
        replica.close().await;
        store.close().await;
        let store = bed.open().await;
        assert!(!store.use_signature([7; 32], until).await.unwrap());
        assert_eq!(store.forget_signatures(until).await.unwrap(), 0);
        assert_eq!(store.forget_signatures(until.plus_ms(1)).await.unwrap(), 1);
    }

    async fn of_two_who_use_one_signature_at_once_one_does(bed) {
        let store = bed.open().await;
        for n in 0..20 {
            let use_it = || store.use_signature([n; 32], T0);
            let (a, b, c) = tokio::join!(use_it(), use_it(), use_it());
            let used = [a, b, c].into_iter().filter(|used| *used.as_ref().unwrap()).count();
            assert_eq!(used, 1);
        }
    }

    async fn a_key_with_admin_of_before_can_do_what_it_could(bed) {
        let migration = if bed.is_sqlite() {
            include_str!("../../../migrations/sqlite/0015_identity.sql")
        } else {
            include_str!("../../../migrations/postgres/0015_identity.sql")
        };
        let store = bed.open().await;
        for (id, scopes) in [("old", &["admin"][..]), ("pays", &["payments:write"])] {
            let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
            store.create_key(&NewKey { scopes, ..key(id) }, &BY).await.unwrap();
        }
        let (_, update) = migration.split_once("update api_keys").unwrap();
        let (update, _) = update.split_once(';').unwrap();
        bed.raw(&format!("update api_keys{update}")).await;
        let mut old = store.find_key("old").await.unwrap().unwrap().scopes;
        old.sort();
        let mut all = xrpayd::app::keys::SCOPES.map(str::to_owned).to_vec();
        all.sort();
        assert_eq!(old, all);
        let pays = store.find_key("pays").await.unwrap().unwrap();
        assert_eq!(pays.scopes, ["payments:write"]);
    }
}
