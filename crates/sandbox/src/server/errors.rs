//! More of rippled's errors: those that only a few methods have.
//!
//! Owns nothing; each function is one line of rippled's table of errors.

use super::frame::RpcError;
use std::borrow::Cow;

impl RpcError {
    pub(super) fn no_permission() -> Self {
        const WORDS: &str = "You don't have permission for this command.";
        Self::new("noPermission", 6, WORDS)
    }
    pub(super) fn high_fee() -> Self {
        const WORDS: &str = "Current transaction fee exceeds your limit.";
        Self::new("highFee", 11, WORDS)
    }
    pub(super) fn not_enabled() -> Self {
        Self::new("notEnabled", 12, "Not enabled in configuration.")
    }
    pub(super) fn not_synced() -> Self {
        Self::new("notSynced", 18, "Not synced to the network.")
    }
    pub(super) fn master_disabled() -> Self {
        Self::new("masterDisabled", 23, "Master key is disabled.")
    }
    pub(super) fn already_multisigned() -> Self {
        Self::new("alreadyMultisig", 36, "Already multisigned.")
    }
    pub(super) fn already_single_signed() -> Self {
        Self::new("alreadySingleSig", 37, "Already single-signed.")
    }
    pub(super) fn bad_feature() -> Self {
        Self::new("badFeature", 40, "Feature unknown or invalid.")
    }
    pub(super) fn bad_issuer() -> Self {
        Self::new("badIssuer", 41, "Issuer account malformed.")
    }
    pub(super) fn no_market() -> Self {
        Self::new("badMarket", 42, "No such market.")
    }
    pub(super) fn bad_secret() -> Self {
        Self::new("badSecret", 43, "Secret does not match account.")
    }
    pub(super) fn bad_seed() -> Self {
        Self::new("badSeed", 44, "Disallowed seed.")
    }
    pub(super) fn channel_malformed() -> Self {
        Self::new("channelMalformed", 45, "Payment channel is malformed.")
    }
    pub(super) fn channel_amount_malformed() -> Self {
        const WORDS: &str = "Payment channel amount is malformed.";
        Self::new("channelAmtMalformed", 46, WORDS)
    }
    pub(super) fn no_events() -> Self {
        Self::new("noEvents", 7, "Current transport does not support events.")
    }
    pub(super) fn no_path_request() -> Self {
        Self::new("noPathRequest", 33, "No pathfinding request in progress.")
    }
    pub(super) fn destination_malformed() -> Self {
        Self::new("dstActMalformed", 48, "Destination account is malformed.")
    }
    pub(super) fn destination_missing() -> Self {
        Self::new("dstActMissing", 49, "Destination account not provided.")
    }
    pub(super) fn destination_amount_malformed() -> Self {
        const WORDS: &str = "Destination amount/currency/issuer is malformed.";
        Self::new("dstAmtMalformed", 51, WORDS)
    }
    pub(super) fn destination_amount_missing() -> Self {
        const WORDS: &str = "Destination amount/currency/issuer is missing.";
        Self::new("dstAmtMissing", 52, WORDS)
    }
    pub(super) fn destination_issuer_malformed() -> Self {
        Self::new("dstIsrMalformed", 53, "Destination issuer is malformed.")
    }
    pub(super) fn public_malformed() -> Self {
        Self::new("publicMalformed", 62, "Public key is malformed.")
    }
    pub(super) fn signing_malformed() -> Self {
        const WORDS: &str = "Signing of transaction is malformed.";
        Self::new("signingMalformed", 63, WORDS)
    }
    pub(super) fn send_max_malformed() -> Self {
        Self::new("sendMaxMalformed", 64, "SendMax amount malformed.")
    }
    pub(super) fn source_malformed() -> Self {
        Self::new("srcActMalformed", 65, "Source account is malformed.")
    }
    pub(super) fn source_missing() -> Self {
        Self::new("srcActMissing", 66, "Source account not provided.")
    }
    pub(super) fn source_not_found() -> Self {
        Self::new("srcActNotFound", 67, "Source account not found.")
    }
    pub(super) fn source_currency_malformed() -> Self {
        Self::new("srcCurMalformed", 69, "Source currency is malformed.")
    }
    pub(super) fn source_issuer_malformed() -> Self {
        Self::new("srcIsrMalformed", 70, "Source issuer is malformed.")
    }
    pub(super) fn bad_key_type() -> Self {
        Self::new("badKeyType", 76, "Bad key type.")
    }
    pub(super) fn object_not_found() -> Self {
        const WORDS: &str = "The requested object was not found.";
        Self::new("objectNotFound", 92, WORDS)
    }
    pub(super) fn issue_malformed() -> Self {
        Self::new("issueMalformed", 93, "Issue is malformed.")
    }
    pub(super) fn oracle_malformed() -> Self {
        Self::new("oracleMalformed", 94, "Oracle request is malformed.")
    }
    pub(super) fn already_signed() -> Self {
        Self::new("transactionSigned", 96, "Transaction should not be signed.")
    }

    /// A field that is not of the type that is named.
    pub(super) fn expected(field: &str, kind: &str) -> Self {
        Self::invalid(format!("Invalid field '{field}', not {kind}."))
    }

    /// The same error in other words.
    pub(super) fn worded(mut self, words: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(words.into());
        self
    }
}
