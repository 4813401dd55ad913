//! Sections `auth` and `rate_limit`, and whose word of callers is taken: who may call, from where and how
//! often.

use super::super::read::Reader;
use super::super::schema::{Auth, RateLimit};
use super::COUNT;
use ipnet::IpNet;
use std::num::NonZeroU32;

/// A list that holds every address believes whatever a caller writes about himself.
pub(super) fn trusted_proxies(r: &mut Reader) -> Option<Vec<IpNet>> {
    const KEY: &str = "http.trusted_proxies";
    let proxies: Vec<IpNet> = r.required(KEY)?;
    if proxies.iter().any(|proxies| proxies.prefix_len() == 0) {
        r.error(KEY, "must not hold every address: name the proxies' own");
        return None;
    }
    Some(proxies)
}

pub(super) fn auth(r: &mut Reader) -> Option<Auth> {
    let enabled = r.required("auth.enabled");
    let admin_cidrs = r.required("auth.admin_cidrs");
    Some(Auth {
        enabled: enabled?,
        admin_cidrs: admin_cidrs?,
    })
}

pub(super) fn rate_limit(r: &mut Reader) -> Option<RateLimit> {
    let per_minute = r.number("rate_limit.per_minute", COUNT);
    let per_hour = r.number("rate_limit.per_hour", COUNT);
    let reads_per_minute = r.number("rate_limit.reads_per_minute", COUNT);
    let admin_per_minute = r.optional_number("rate_limit.admin_per_minute", COUNT);
    let checks_per_minute = r.optional_number("rate_limit.checks_per_minute", COUNT);
    let failures_per_minute: Option<u32> = r.number("rate_limit.failures_per_minute", COUNT);
    Some(RateLimit {
        per_minute: per_minute?,
        per_hour: per_hour?,
        reads_per_minute: reads_per_minute?,
        admin_per_minute: admin_per_minute.or(per_minute)?,
        checks_per_minute: checks_per_minute.or(per_minute)?,
        failures_per_minute: failures_per_minute.and_then(NonZeroU32::new)?,
    })
}
