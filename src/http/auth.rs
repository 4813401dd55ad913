//! Who asks, and what they may do.
//!
//! A key is `xrpayd_<id>_<secret>`. The store holds SHA-256 of the secret alone; the comparison takes
//! the same time wherever the two differ. Owns a small cache of keys: a revocation is seen within
//! `CACHE_TTL`, and ids that strangers make up can neither fill memory nor, for a second each, the
//! database. Whatever is wrong about a key before its secret has matched is answered alike, so that
//! nobody learns which ids exist.

use super::problem::{Code, Problem};
use crate::store::{ApiKey, HOUSE, Store};
use axum::http::{HeaderMap, header};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
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
        }
    }
}

/// The scope that contains every other and sees every client's payments.
const ADMIN: &str = "admin";

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's id; what the rate limits count.
    pub key_id: String,
    /// The client that the key belongs to; what owns payments and idempotency keys.
    pub client: String,
    scopes: Scopes,
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
            signing_secret: None,
        }
    }

    /// Whether the key has the scope `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match &self.scopes {
            Scopes::All => true,
            Scopes::Listed(key) => key.scopes.iter().any(|scope| scope == ADMIN),
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

    /// Whether the key has `scope`, by itself or by `admin`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let listed = match &self.scopes {
            Scopes::All => true,
            Scopes::Listed(key) => key.scopes.iter().any(|own| own == scope.as_str()),
        };
        listed || self.is_admin()
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

/// A refusal, with the metric label of its reason.
#[derive(Debug)]
pub struct Denied {
    /// The label of `auth_failures_total`.
    pub reason: &'static str,
    /// The answer.
    pub problem: Problem,
}

fn deny(reason: &'static str, code: Code, detail: &str) -> Denied {
    let problem = Problem::new(code, detail);
    Denied { reason, problem }
}

struct Cached {
    key: Option<Arc<ApiKey>>,
    read_at: Duration,
}

/// Knows keys.
#[derive(Default)]
pub struct Authenticator {
    cache: Mutex<HashMap<String, Cached>>,
}

impl Authenticator {
    /// Finds out who asks.
    ///
    /// # Errors
    /// Why the request is not let in.
    pub async fn identify(
        &self,
        store: &Store,
        headers: &HeaderMap,
        peer: Option<Peer>,
        now: UnixMs,
        monotonic: Duration,
    ) -> Result<Caller, Denied> {
        let (id, secret) = bearer(headers)?;
        let key = self.key(store, id, monotonic).await.map_err(|error| {
            tracing::warn!(error = %error, "the store could not be asked for an API key");
            let detail = "The store could not be asked for the API key.";
            let problem = Problem::new(Code::StoreUnavailable, detail).retry_after(1);
            Denied {
                reason: "store",
                problem,
            }
        })?;
        let presented = hash_secret(secret);
        let expected = key.as_ref().map_or([0; 32], |key| key.secret_hash);
        let matches = bool::from(presented.ct_eq(&expected));
        let Some(key) = key.filter(|_| matches) else {
            return Err(deny(
                "unknown_key",
                Code::Unauthenticated,
                "The API key is not known.",
            ));
        };
        if let Some(denied) = ended(&key, now) {
            return Err(denied);
        }
        if !address_allowed(&key.cidrs, peer) {
            let detail = "The API key may not be used from this address.";
            return Err(deny("address", Code::AddressNotAllowed, detail));
        }
        Ok(Caller {
            key_id: key.id.clone(),
            client: key.client.clone(),
            signing_secret: key
                .require_signature
                .then(|| SigningSecret(zeroize::Zeroizing::new(secret.to_owned()))),
            scopes: Scopes::Listed(key),
        })
    }

    /// Whether the key that a caller came in with still holds. A revocation is seen within
    /// `CACHE_TTL`.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn stands(
        &self,
        store: &Store,
        caller: &Caller,
        now: UnixMs,
        monotonic: Duration,
    ) -> Result<bool, crate::store::StoreError> {
        let Scopes::Listed(_) = &caller.scopes else {
            return Ok(true);
        };
        let key = self.key(store, &caller.key_id, monotonic).await?;
        Ok(key.is_some_and(|key| ended(&key, now).is_none()))
    }

    async fn key(
        &self,
        store: &Store,
        id: &str,
        now: Duration,
    ) -> Result<Option<Arc<ApiKey>>, crate::store::StoreError> {
        let fresh = |cached: &Cached| now.saturating_sub(cached.read_at) < CACHE_TTL;
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
        };
        cache.insert(id.to_owned(), cached);
        Ok(key)
    }
}

/// Why a key no longer holds, where that is so.
fn ended(key: &ApiKey, now: UnixMs) -> Option<Denied> {
    let is_over = |at: Option<UnixMs>| at.is_some_and(|at| at <= now);
    if is_over(key.revoked_at) {
        let detail = "The API key has been revoked.";
        return Some(deny("revoked", Code::KeyRevoked, detail));
    }
    is_over(key.expires_at).then(|| deny("expired", Code::KeyExpired, "The API key has expired."))
}

/// What the store keeps of a key's secret.
#[must_use]
pub fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Takes the id and the secret out of the Authorization header.
fn bearer(headers: &HeaderMap) -> Result<(&str, &str), Denied> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let detail = "The Authorization header is missing: `Authorization: Bearer xrpayd_…`.";
        return Err(deny("missing", Code::Unauthenticated, detail));
    };
    let malformed = || {
        let detail = "The Authorization header must be `Bearer xrpayd_<id>_<secret>`.";
        deny("malformed", Code::Unauthenticated, detail)
    };
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(malformed());
    }
    let token = token.trim().strip_prefix("xrpayd_").ok_or_else(malformed)?;
    let (id, secret) = token.split_once('_').ok_or_else(malformed)?;
    let well_formed = (1..=ID_LEN_MAX).contains(&id.len())
        && (1..=SECRET_LEN_MAX).contains(&secret.len())
        && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if well_formed {
        Ok((id, secret))
    } else {
        Err(malformed())
    }
}

/// An empty list lets everybody in; an entry that cannot be read lets nobody in.
fn address_allowed(cidrs: &[String], peer: Option<Peer>) -> bool {
    if cidrs.is_empty() {
        return true;
    }
    let Some(Peer(peer)) = peer else { return false };
    let address = peer.ip().to_canonical();
    let holds = |cidr: &String| match cidr.parse::<IpNet>() {
        Ok(net) => net.contains(&address),
        Err(_) => cidr.parse::<IpAddr>().is_ok_and(|one| one == address),
    };
    cidrs.iter().any(holds)
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
        assert_eq!(
            bearer(&with("Bearer xrpayd_ab1_s_e-c")).unwrap(),
            ("ab1", "s_e-c")
        );
        assert_eq!(
            bearer(&with("bearer xrpayd_ab1_sec")).unwrap(),
            ("ab1", "sec")
        );
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
            assert_eq!(bearer(&with(bad)).unwrap_err().reason, "malformed", "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()).unwrap_err().reason, "missing");
    }

    #[test]
    fn an_address_list_holds_for_both_families_and_fails_closed() {
        let peer = |text: &str| Some(Peer(text.parse().unwrap()));
        let list = |cidrs: &[&str]| cidrs.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        assert!(address_allowed(&[], None));
        assert!(address_allowed(&list(&["10.0.0.0/8"]), peer("10.2.3.4:1")));
        assert!(address_allowed(
            &list(&["10.0.0.0/8"]),
            peer("[::ffff:10.2.3.4]:1")
        ));
        assert!(address_allowed(&list(&["::1"]), peer("[::1]:1")));
        assert!(!address_allowed(&list(&["10.0.0.0/8"]), peer("11.2.3.4:1")));
        assert!(!address_allowed(&list(&["10.0.0.0/8"]), None));
        assert!(!address_allowed(&list(&["ten"]), peer("10.2.3.4:1")));
    }
}
