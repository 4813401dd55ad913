//! The answer to `server_info`.

use serde::Deserialize;
use serde_json::Number;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The result.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct ServerInfo<'a> {
    /// All there is.
    #[serde(borrow)]
    pub info: Info<'a>,
}

/// What a server says about itself.
#[derive(Debug, Deserialize)]
pub(in crate::xrpl) struct Info<'a> {
    #[serde(borrow, default)]
    pub build_version: Option<Cow<'a, str>>,
    /// Only Clio has it.
    #[serde(borrow, default)]
    pub clio_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub complete_ledgers: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub server_state: Option<Cow<'a, str>>,
    #[serde(default)]
    pub network_id: Option<u32>,
    #[serde(default)]
    load_factor: Option<Number>,
    /// Present, and true, only while it is so.
    #[serde(default)]
    pub amendment_blocked: bool,
    #[serde(borrow, default)]
    validated_ledger: Option<&'a RawValue>,
}

impl Info<'_> {
    /// The load factor without its fraction.
    pub(in crate::xrpl) fn load_factor(&self) -> Option<u64> {
        let text = self.load_factor.as_ref()?.to_string();
        // A float in JSON may be written with an exponent; only plain decimals are worth showing.
        text.split('.').next()?.parse().ok()
    }

    /// Whether the server knows a validated ledger: the field is absent while it does not.
    pub(in crate::xrpl) const fn is_synced(&self) -> bool {
        self.validated_ledger.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standalone_server_reads() {
        let frame = r#"{"id":2,"result":{"info":{"build_version":"2.4.0-rc2","complete_ledgers":"2","load_factor":1.5,
            "peers":0,"server_state":"full","validated_ledger":{"age":158,"base_fee_xrp":1e-05,
            "hash":"1EFBF65CCA4129B2655D5D541679BA084AA58301DD56C76CDE4805A0D2CACBA1","reserve_base_xrp":1,
            "reserve_inc_xrp":0.2,"seq":2},"validation_quorum":0}},"status":"success","type":"response"}"#;
        let info = crate::xrpl::proto::result::<ServerInfo<'_>>(frame)
            .unwrap()
            .info;
        assert_eq!(info.network_id, None);
        assert_eq!(info.load_factor(), Some(1));
        assert!(info.is_synced() && !info.amendment_blocked);
    }

    #[test]
    fn a_server_that_has_only_just_begun_reads() {
        let frame = r#"{"result":{"info":{"server_state":"connected","complete_ledgers":"empty","closed_ledger":{"seq":4}}}}"#;
        let info = crate::xrpl::proto::result::<ServerInfo<'_>>(frame)
            .unwrap()
            .info;
        assert!(!info.is_synced());
        assert_eq!(info.complete_ledgers.as_deref(), Some("empty"));
    }
}
