//! Who asks, and what they may do.
//!
//! A key is `xrpayd_<id>_<secret>`. The store holds SHA-256 of the secret alone; the comparison takes
//! the same time wherever the two differ. Owns a small cache of keys: a revocation is seen at once where
//! its hint arrives and within `CACHE_TTL` anyway, and ids that strangers make up can neither fill memory nor, for a second each, the
//! database. Whatever is wrong about a key before its secret has matched is answered alike, so that
//! nobody learns which ids exist.
//!
//! What a key may do is written when it is made, on the command line, and by nothing afterwards: no
//! statement of the store changes a key's scopes, and no route makes a key. So no key that pays ever
//! becomes an administrator's, whoever holds it.

use super::denial::deny;
pub use super::denial::{Denied, Reason};
use super::origin::Origin;
use super::problem::{Code, Problem};
use crate::cidr;
use crate::store::{Actor, ApiKey, HOUSE, KeyLimits, PreviousSecret, Store, StoreError};
use axum::http::{HeaderMap, header};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use subtle::ConstantTimeEq;
use xrpayd_core::ids::UnixMs;
use xrpayd_core::payment::Payment;

/// How long a key is believed without asking the store again.
const CACHE_TTL: Duration = Duration::from_secs(1);
/// The most ids that are remembered, known and unknown together.
const CACHE_LEN_MAX: usize = 4096;
/// The longest id of a key.
const ID_LEN_MAX: usize = 64;
/// The longest secret of a key.
const SECRET_LEN_MAX: usize = 256;

/// The address that a connection came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Look at payments, wallets, servers and limits.
    PaymentsRead,
    /// Make and cancel payments.
    PaymentsWrite,
    /// Approve and reject the payments that wait for it.
    PaymentsApprove,
    /// Look at invoices and deposits.
    InvoicesRead,
    /// Issue and cancel invoices, and see to deposits.
    InvoicesWrite,
    /// Make and change webhook endpoints, and look at their deliveries.
    WebhooksWrite,
    /// Pause, resume, promote and demote; look at everything, of every client.
    Admin,
}

impl Scope {
    /// The text in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentsRead => "payments:read",
            Self::PaymentsWrite => "payments:write",
            Self::PaymentsApprove => "payments:approve",
            Self::InvoicesRead => "invoices:read",
            Self::InvoicesWrite => "invoices:write",
            Self::WebhooksWrite => "webhooks:write",
            Self::Admin => "admin",
        }
    }

    /// Whether `admin` contains it: whoever runs the service looks at everything. To move money, to
    /// approve that, or to change what a client has set up, an administrator's key has to have been
    /// made for it.
    const fn is_for_looking(self) -> bool {
        match self {
            Self::PaymentsRead | Self::InvoicesRead => true,
            Self::PaymentsWrite
            | Self::PaymentsApprove
            | Self::InvoicesWrite
            | Self::WebhooksWrite
            | Self::Admin => false,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's id; what the rate limits count.
    pub key_id: String,
    /// The client that the key belongs to; what owns payments and idempotency keys.
    pub client: String,
    scopes: Scopes,
    /// The hash of the secret that it came in with.
    secret_hash: [u8; 32],
    /// The key's own rate limits.
    pub limits: KeyLimits,
    /// The secret to check a signature with, where this key requires signed requests.
    pub signing_secret: Option<SigningSecret>,
}

#[derive(Debug, Clone)]
enum Scopes {
    All,
    Listed(Arc<ApiKey>),
}

/// A secret that signs requests; never shown.
#[derive(Clone)]
pub struct SigningSecret(pub(super) zeroize::Zeroizing<String>);

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl Caller {
    /// The one caller there is where keys are not asked for.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            key_id: "anonymous".to_owned(),
            client: "anonymous".to_owned(),
            scopes: Scopes::All,
            secret_hash: [0; 32],
            limits: KeyLimits::default(),
            signing_secret: None,
        }
    }

    /// The caller, as the audit log names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Key {
            id: self.key_id.clone(),
            client: self.client.clone(),
        }
    }

    /// Whether the key has the scope `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match &self.scopes {
            Scopes::All => true,
            Scopes::Listed(key) => lists(key, Scope::Admin),
        }
    }

    /// Refuses a caller without `scope`.
    ///
    /// # Errors
    /// 403, naming the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        let detail = format!("This needs a key with the scope `{}`.", scope.as_str());
        Err(Problem::new(Code::ScopeMissing, detail))
    }

    /// Whether the key has `scope`, by itself or, where that is for looking, by `admin`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let listed = match &self.scopes {
            Scopes::All => true,
            Scopes::Listed(key) => lists(key, scope),
        };
        listed || (scope.is_for_looking() && self.is_admin())
    }

    /// Whether the caller may see the payment: its client's own and the house's, and what waits or waited
    /// for an approval where the caller is one who approves.
    #[must_use]
    pub fn may_see(&self, payment: &Payment) -> bool {
        let may_rule = payment.approval.is_some() && self.has(Scope::PaymentsApprove);
        let is_theirs = payment.client == self.client || payment.client == HOUSE;
        is_theirs || may_rule || self.is_admin()
    }
}

fn lists(key: &ApiKey, scope: Scope) -> bool {
    key.scopes.iter().any(|own| own == scope.as_str())
}

/// The store could not be asked about a key.
pub(super) fn store_away(error: &StoreError) -> Denied {
    tracing::warn!(error = %error, "the store could not be asked about an API key");
    let detail = "The store could not be asked about the API key.";
    let problem = Problem::new(Code::StoreUnavailable, detail).retry_after(1);
    Denied {
        reason: Reason::Store,
        problem,
    }
}

struct Cached {
    key: Option<Arc<ApiKey>>,
    read_at: Duration,
    /// How often keys had changed before it was read.
    changes: u64,
}

/// Knows keys.
#[derive(Default)]
pub struct Authenticator {
    cache: Mutex<HashMap<String, Cached>>,
}

impl Authenticator {
    /// Finds out who asks from `origin` with the key `presented`; administrators' keys hold in
    /// `admin_networks`, where there are any.
    ///
    /// # Errors
    /// Why the request is not let in.
    pub async fn identify(
        &self,
        store: &Store,
        presented: Bearer<'_>,
        (origin, admin_networks): (Origin, &[IpNet]),
        now: UnixMs,
        monotonic: Duration,
    ) -> Result<Caller, Denied> {
        let Bearer { id, secret } = presented;
        let key = self.key(store, id, monotonic).await;
        let key = key.map_err(|error| store_away(&error))?;
        let presented = hash_secret(secret);
        let (key, secret_is) = match (matching(key.as_deref(), &presented), key) {
            (Some(secret_is), Some(key)) => (key, secret_is),
            (None, _) | (_, None) => {
                let detail = "The API key is not known.";
                return Err(deny(Reason::UnknownKey, Code::Unauthenticated, detail));
            }
        };
        if let Whose::Previous { until } = secret_is
            && until <= now
        {
            let detail = "The API key has a newer secret, and this one has expired.";
            return Err(deny(Reason::Expired, Code::KeyExpired, detail));
        }
        if let Some(denied) = ended(&key, now) {
            return Err(denied);
        }
        let everywhere = !lists(&key, Scope::Admin) || admin_networks.is_empty();
        if !allows(&key.cidrs, origin) || !(everywhere || origin.is_within(admin_networks)) {
            let detail = "The API key may not be used from this address.";
            return Err(deny(Reason::Address, Code::AddressNotAllowed, detail));
        }
        Ok(Caller {
            key_id: key.id.clone(),
            client: key.client.clone(),
            limits: key.limits,
            signing_secret: key
                .require_signature
                .then(|| SigningSecret(zeroize::Zeroizing::new(secret.to_owned()))),
            scopes: Scopes::Listed(key),
            secret_hash: presented,
        })
    }

    /// Whether the key that a caller came in with still holds, by what is known of it for `CACHE_TTL`
    /// at most.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn stands(
        &self,
        store: &Store,
        caller: &Caller,
        now: UnixMs,
        monotonic: Duration,
    ) -> Result<bool, StoreError> {
        let Scopes::Listed(_) = &caller.scopes else {
            return Ok(true);
        };
        let key = self.key(store, &caller.key_id, monotonic).await?;
        let secret_holds = match matching(key.as_deref(), &caller.secret_hash) {
            Some(Whose::Current) => true,
            Some(Whose::Previous { until }) => until > now,
            None => false,
        };
        Ok(secret_holds && key.is_some_and(|key| ended(&key, now).is_none()))
    }

    async fn key(
        &self,
        store: &Store,
        id: &str,
        now: Duration,
    ) -> Result<Option<Arc<ApiKey>>, StoreError> {
        let changes = store.keys_changed();
        let fresh = |cached: &Cached| {
            cached.changes == changes && now.saturating_sub(cached.read_at) < CACHE_TTL
        };
        {
            let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(cached) = cache.get(id).filter(|cached| fresh(cached)) {
                return Ok(cached.key.clone());
            }
        }
        let key = store.find_key(id).await?.map(Arc::new);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_LEN_MAX {
            cache.retain(|_, cached| fresh(cached));
        }
        if cache.len() >= CACHE_LEN_MAX {
            cache.clear();
        }
        let cached = Cached {
            key: key.clone(),
            read_at: now,
            changes,
        };
        cache.insert(id.to_owned(), cached);
        Ok(key)
    }
}

/// Which of a key's secrets was presented.
enum Whose {
    Current,
    Previous { until: UnixMs },
}

/// Which secret of `key` this is. Both are compared, whole, whatever the first comparison says, and a
/// key that does not exist is compared with as well.
fn matching(key: Option<&ApiKey>, presented: &[u8; 32]) -> Option<Whose> {
    let previous = key.and_then(|key| key.previous);
    let is_current = presented.ct_eq(&key.map_or([0; 32], |key| key.secret_hash));
    let is_previous = presented.ct_eq(&previous.map_or([0; 32], |previous| previous.hash));
    match (bool::from(is_current), bool::from(is_previous), previous) {
        (true, _, _) if key.is_some() => Some(Whose::Current),
        (_, true, Some(PreviousSecret { until, .. })) => Some(Whose::Previous { until }),
        (_, _, _) => None,
    }
}

/// Why a key no longer holds, where that is so.
fn ended(key: &ApiKey, now: UnixMs) -> Option<Denied> {
    let is_over = |at: Option<UnixMs>| at.is_some_and(|at| at <= now);
    if is_over(key.revoked_at) {
        let detail = "The API key has been revoked.";
        return Some(deny(Reason::Revoked, Code::KeyRevoked, detail));
    }
    let detail = "The API key has expired.";
    is_over(key.expires_at).then(|| deny(Reason::Expired, Code::KeyExpired, detail))
}

/// What the store keeps of a key's secret.
#[must_use]
pub fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A key as a request presents it.
#[derive(Clone, Copy)]
pub struct Bearer<'a> {
    /// The public part.
    pub id: &'a str,
    secret: &'a str,
}

impl<'a> Bearer<'a> {
    /// Takes the key out of the Authorization header.
    ///
    /// # Errors
    /// There is none, or it is no key.
    pub fn read(headers: &'a HeaderMap) -> Result<Self, Denied> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            let detail = "The Authorization header is missing: `Authorization: Bearer xrpayd_…`.";
            return Err(deny(Reason::Missing, Code::Unauthenticated, detail));
        };
        let text = value.to_str().ok();
        text.and_then(Self::parse).ok_or_else(|| {
            let detail = "The Authorization header must be `Bearer xrpayd_<id>_<secret>`.";
            deny(Reason::Malformed, Code::Unauthenticated, detail)
        })
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, token) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (id, secret) = token.trim().strip_prefix("xrpayd_")?.split_once('_')?;
        let well_formed = (1..=ID_LEN_MAX).contains(&id.len())
            && (1..=SECRET_LEN_MAX).contains(&secret.len())
            && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
        well_formed.then_some(Self { id, secret })
    }
}

/// An empty list lets everybody in; an entry that cannot be read lets nobody in.
fn allows(cidrs: &[String], origin: Origin) -> bool {
    let holds = |text: &String| cidr::network(text).is_ok_and(|net| origin.is_within(&[net]));
    cidrs.is_empty() || cidrs.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a_bearer_token_is_cut_at_its_second_underscore() {
        for (text, id, secret) in [
            ("Bearer xrpayd_ab1_s_e-c", "ab1", "s_e-c"),
            ("bearer xrpayd_ab1_sec", "ab1", "sec"),
        ] {
            let headers = with(text);
            let read = Bearer::read(&headers).ok().unwrap();
            assert_eq!((read.id, read.secret), (id, secret));
        }
        let reason = |headers: &HeaderMap| Bearer::read(headers).err().unwrap().reason;
        for bad in [
            "xrpayd_ab_sec",
            "Basic xrpayd_ab_sec",
            "Bearer ab_sec",
            "Bearer xrpayd_absec",
            "Bearer xrpayd__sec",
            "Bearer xrpayd_ab_",
            "Bearer xrpayd_a/b_sec",
            "Bearer",
        ] {
            assert_eq!(reason(&with(bad)), Reason::Malformed, "{bad}");
        }
        assert_eq!(reason(&HeaderMap::new()), Reason::Missing);
    }

    #[test]
    fn an_address_list_holds_for_both_families_and_fails_closed() {
        let from = |text: &str| Origin::Address(text.parse().unwrap());
        let list = |cidrs: &[&str]| cidrs.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        let unknown = Origin::Behind("10.2.3.4".parse().unwrap());
        assert!(allows(&[], unknown));
        assert!(allows(&list(&["10.0.0.0/8"]), from("10.2.3.4")));
        assert!(allows(&list(&["10.0.0.0/8"]), from("::ffff:10.2.3.4")));
        assert!(allows(&list(&["::1"]), from("::1")));
        assert!(!allows(&list(&["10.0.0.0/8"]), from("11.2.3.4")));
        assert!(!allows(&list(&["10.0.0.0/8"]), unknown));
        assert!(!allows(&list(&["ten"]), from("10.2.3.4")));
    }
}
