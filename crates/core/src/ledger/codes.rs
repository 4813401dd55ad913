//! Every transaction result code, what it means when a server answers a submission with it, and
//! what it means when a validated ledger holds it.
//!
//! Matching is by text: only `tec` numbers are fixed by the ledger's format. A code that the table
//! does not know acts by the class in its first three letters.

/// What to do next when a server answers a submission with a code. Never an outcome: whatever the
/// answer, the transaction may still be validated until its last ledger has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSubmit {
    /// Taken, queued or held: watch the ledger.
    Wait,
    /// This server would not; another may. The same bytes are sent again.
    Elsewhere,
    /// The fee or the queue stands in the way; sent again after the next ledger, or replaced.
    Crowded,
    /// A lower sequence or its ticket is not there yet; it is sent first.
    Ahead,
    /// The sequence is used or the last ledger is near: often because this very transaction is in.
    PerhapsDone,
    /// The sending account is short of XRP.
    OwnShortage,
    /// The key, the network or the account is wrong: the wallet stops and a person is called.
    OwnFault,
    /// Malformed: no server will ever apply it. Only the journal frees its sequence.
    Never,
}

/// What a code means in the metadata of a validated transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnValidated {
    /// It did what it asked; the amount is in the metadata.
    Delivered,
    /// The fee was charged, nothing was delivered, and trying again is pointless.
    Failed,
    /// The fee was charged because our own balance was short; the payment itself is sound.
    OwnShortage,
    /// The fee was charged for a fault of the protocol's own; reported as failed, and alerted.
    ServerFault,
    /// Such a code cannot stand in a validated ledger.
    Impossible,
}

/// The family of a code, from its first three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Success.
    Tes,
    /// Claimed the fee and did nothing else.
    Tec,
    /// Not yet: may be applied later.
    Ter,
    /// Failed against this ledger.
    Tef,
    /// Malformed.
    Tem,
    /// This server only.
    Tel,
    /// No family we know.
    Unknown,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code as servers print it.
    pub name: &'static str,
    /// Its meaning as an answer to a submission.
    pub on_submit: OnSubmit,
    /// Its meaning in a validated ledger.
    pub on_validated: OnValidated,
}

impl Class {
    /// The class that a code's name shows.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.get(..3) {
            Some("tes") => Self::Tes,
            Some("tec") => Self::Tec,
            Some("ter") => Self::Ter,
            Some("tef") => Self::Tef,
            Some("tem") => Self::Tem,
            Some("tel") => Self::Tel,
            _ => Self::Unknown,
        }
    }
}

/// The row of `name`, where the table has one.
#[must_use]
pub fn find(name: &str) -> Option<&'static Code> {
    TABLE.iter().find(|code| code.name == name)
}

/// What `name` means as an answer to a submission.
#[must_use]
pub fn on_submit(name: &str) -> OnSubmit {
    find(name).map_or_else(
        || match Class::of(name) {
            Class::Tem => OnSubmit::Never,
            Class::Tel => OnSubmit::Elsewhere,
            Class::Tes | Class::Tec | Class::Ter | Class::Tef | Class::Unknown => OnSubmit::Wait,
        },
        |code| code.on_submit,
    )
}

/// What `name` means in a validated ledger.
#[must_use]
pub fn on_validated(name: &str) -> OnValidated {
    find(name).map_or_else(
        || match Class::of(name) {
            Class::Tec => OnValidated::Failed,
            Class::Tes | Class::Ter | Class::Tef | Class::Tem | Class::Tel | Class::Unknown => {
                OnValidated::Impossible
            }
        },
        |code| code.on_validated,
    )
}

/// The code as a metric label: itself where the table knows it, else its class.
#[must_use]
pub fn label(name: &str) -> &'static str {
    find(name).map_or_else(
        || match Class::of(name) {
            Class::Tes => "tes_unknown",
            Class::Tec => "tec_unknown",
            Class::Ter => "ter_unknown",
            Class::Tef => "tef_unknown",
            Class::Tem => "tem_unknown",
            Class::Tel => "tel_unknown",
            Class::Unknown => "unknown",
        },
        |code| code.name,
    )
}

use OnSubmit::{Ahead, Crowded, Elsewhere, Never, OwnFault, OwnShortage, PerhapsDone, Wait};
use OnValidated::{Delivered, Failed, Impossible, OwnShortage as Short, ServerFault};

const fn row(name: &'static str, on_submit: OnSubmit, on_validated: OnValidated) -> Code {
    Code {
        name,
        on_submit,
        on_validated,
    }
}

/// Every code that servers are known to print, in the order of their numbers.
#[rustfmt::skip]
pub const TABLE: &[Code] = &[
    row("telLOCAL_ERROR", Elsewhere, Impossible),
    row("telBAD_DOMAIN", Elsewhere, Impossible),
    row("telBAD_PATH_COUNT", Elsewhere, Impossible),
    row("telBAD_PUBLIC_KEY", Elsewhere, Impossible),
    row("telFAILED_PROCESSING", Elsewhere, Impossible),
    row("telINSUF_FEE_P", Crowded, Impossible),
    row("telNO_DST_PARTIAL", Elsewhere, Impossible),
    row("telCAN_NOT_QUEUE", Crowded, Impossible),
    row("telCAN_NOT_QUEUE_BALANCE", Crowded, Impossible),
    row("telCAN_NOT_QUEUE_BLOCKS", Crowded, Impossible),
    row("telCAN_NOT_QUEUE_BLOCKED", Crowded, Impossible),
    row("telCAN_NOT_QUEUE_FEE", Crowded, Impossible),
    row("telCAN_NOT_QUEUE_FULL", Crowded, Impossible),
    row("telWRONG_NETWORK", OwnFault, Impossible),
    row("telREQUIRES_NETWORK_ID", OwnFault, Impossible),
    row("telNETWORK_ID_MAKES_TX_NON_CANONICAL", OwnFault, Impossible),
    row("telENV_RPC_FAILED", Elsewhere, Impossible),
    row("temMALFORMED", Never, Impossible),
    row("temBAD_AMOUNT", Never, Impossible),
    row("temBAD_CURRENCY", Never, Impossible),
    row("temBAD_EXPIRATION", Never, Impossible),
    row("temBAD_FEE", Never, Impossible),
    row("temBAD_ISSUER", Never, Impossible),
    row("temBAD_LIMIT", Never, Impossible),
    row("temBAD_OFFER", Never, Impossible),
    row("temBAD_PATH", Never, Impossible),
    row("temBAD_PATH_LOOP", Never, Impossible),
    row("temBAD_REGKEY", Never, Impossible),
    row("temBAD_SEND_XRP_LIMIT", Never, Impossible),
    row("temBAD_SEND_XRP_MAX", Never, Impossible),
    row("temBAD_SEND_XRP_NO_DIRECT", Never, Impossible),
    row("temBAD_SEND_XRP_PARTIAL", Never, Impossible),
    row("temBAD_SEND_XRP_PATHS", Never, Impossible),
    row("temBAD_SEQUENCE", Never, Impossible),
    row("temBAD_SIGNATURE", Never, Impossible),
    row("temBAD_SRC_ACCOUNT", Never, Impossible),
    row("temBAD_TRANSFER_RATE", Never, Impossible),
    row("temDST_IS_SRC", Never, Impossible),
    row("temDST_NEEDED", Never, Impossible),
    row("temINVALID", Never, Impossible),
    row("temINVALID_FLAG", Never, Impossible),
    row("temREDUNDANT", Never, Impossible),
    row("temRIPPLE_EMPTY", Never, Impossible),
    row("temDISABLED", Never, Impossible),
    row("temBAD_SIGNER", Never, Impossible),
    row("temBAD_QUORUM", Never, Impossible),
    row("temBAD_WEIGHT", Never, Impossible),
    row("temBAD_TICK_SIZE", Never, Impossible),
    row("temINVALID_ACCOUNT_ID", Never, Impossible),
    row("temCANNOT_PREAUTH_SELF", Never, Impossible),
    row("temINVALID_COUNT", Never, Impossible),
    row("temUNCERTAIN", Never, Impossible),
    row("temUNKNOWN", Never, Impossible),
    row("temSEQ_AND_TICKET", Never, Impossible),
    row("temBAD_NFTOKEN_TRANSFER_FEE", Never, Impossible),
    row("temBAD_AMM_TOKENS", Never, Impossible),
    row("temXCHAIN_EQUAL_DOOR_ACCOUNTS", Never, Impossible),
    row("temXCHAIN_BAD_PROOF", Never, Impossible),
    row("temXCHAIN_BRIDGE_BAD_ISSUES", Never, Impossible),
    row("temXCHAIN_BRIDGE_NONDOOR_OWNER", Never, Impossible),
    row("temXCHAIN_BRIDGE_BAD_MIN_ACCOUNT_CREATE_AMOUNT", Never, Impossible),
    row("temXCHAIN_BRIDGE_BAD_REWARD_AMOUNT", Never, Impossible),
    row("temEMPTY_DID", Never, Impossible),
    row("temARRAY_EMPTY", Never, Impossible),
    row("temARRAY_TOO_LARGE", Never, Impossible),
    row("temBAD_TRANSFER_FEE", Never, Impossible),
    row("temINVALID_INNER_BATCH", Never, Impossible),
    row("temBAD_MPT", Never, Impossible),
    row("temBAD_CIPHERTEXT", Never, Impossible),
    row("tefFAILURE", Elsewhere, Impossible),
    row("tefALREADY", PerhapsDone, Impossible),
    row("tefBAD_ADD_AUTH", OwnFault, Impossible),
    row("tefBAD_AUTH", OwnFault, Impossible),
    row("tefBAD_LEDGER", Elsewhere, Impossible),
    row("tefCREATED", PerhapsDone, Impossible),
    row("tefEXCEPTION", Elsewhere, Impossible),
    row("tefINTERNAL", Elsewhere, Impossible),
    row("tefNO_AUTH_REQUIRED", Wait, Impossible),
    row("tefPAST_SEQ", PerhapsDone, Impossible),
    row("tefWRONG_PRIOR", PerhapsDone, Impossible),
    row("tefMASTER_DISABLED", OwnFault, Impossible),
    row("tefMAX_LEDGER", PerhapsDone, Impossible),
    row("tefBAD_SIGNATURE", OwnFault, Impossible),
    row("tefBAD_QUORUM", OwnFault, Impossible),
    row("tefNOT_MULTI_SIGNING", OwnFault, Impossible),
    row("tefBAD_AUTH_MASTER", OwnFault, Impossible),
    row("tefINVARIANT_FAILED", Elsewhere, Impossible),
    row("tefTOO_BIG", Wait, Impossible),
    row("tefNO_TICKET", PerhapsDone, Impossible),
    row("tefNFTOKEN_IS_NOT_TRANSFERABLE", Wait, Impossible),
    row("tefINVALID_LEDGER_FIX_TYPE", Wait, Impossible),
    row("tefNO_DST_PARTIAL", Wait, Impossible),
    row("tefBAD_PATH_COUNT", Wait, Impossible),
    row("terRETRY", Wait, Impossible),
    row("terFUNDS_SPENT", OwnShortage, Impossible),
    row("terINSUF_FEE_B", OwnShortage, Impossible),
    row("terNO_ACCOUNT", OwnFault, Impossible),
    row("terNO_AUTH", Wait, Impossible),
    row("terNO_LINE", Wait, Impossible),
    row("terOWNERS", Wait, Impossible),
    row("terPRE_SEQ", Ahead, Impossible),
    row("terLAST", Wait, Impossible),
    row("terNO_RIPPLE", Wait, Impossible),
    row("terQUEUED", Wait, Impossible),
    row("terPRE_TICKET", Ahead, Impossible),
    row("terNO_AMM", Wait, Impossible),
    row("terSUBMITTED", Wait, Impossible),
    row("terADDRESS_COLLISION", Wait, Impossible),
    row("terNO_DELEGATE_PERMISSION", Wait, Impossible),
    row("terLOCKED", Wait, Impossible),
    row("terNO_PERMISSION", Wait, Impossible),
    row("tesSUCCESS", Wait, Delivered),
    row("tecCLAIM", Wait, ServerFault),
    row("tecPATH_PARTIAL", Wait, Failed),
    row("tecUNFUNDED_ADD", Wait, Failed),
    row("tecUNFUNDED_OFFER", Wait, Failed),
    row("tecUNFUNDED_PAYMENT", Wait, Short),
    row("tecFAILED_PROCESSING", Wait, ServerFault),
    row("tecDIR_FULL", Wait, Failed),
    row("tecINSUF_RESERVE_LINE", Wait, Failed),
    row("tecINSUF_RESERVE_OFFER", Wait, Failed),
    row("tecNO_DST", Wait, Failed),
    row("tecNO_DST_INSUF_XRP", Wait, Failed),
    row("tecNO_LINE_INSUF_RESERVE", Wait, Failed),
    row("tecNO_LINE_REDUNDANT", Wait, Failed),
    row("tecPATH_DRY", Wait, Failed),
    row("tecUNFUNDED", Wait, Failed),
    row("tecNO_ALTERNATIVE_KEY", Wait, Failed),
    row("tecNO_REGULAR_KEY", Wait, Failed),
    row("tecOWNERS", Wait, Failed),
    row("tecNO_ISSUER", Wait, Failed),
    row("tecNO_AUTH", Wait, Failed),
    row("tecNO_LINE", Wait, Failed),
    row("tecINSUFF_FEE", Wait, Short),
    row("tecFROZEN", Wait, Failed),
    row("tecNO_TARGET", Wait, Failed),
    row("tecNO_PERMISSION", Wait, Failed),
    row("tecNO_ENTRY", Wait, Failed),
    row("tecINSUFFICIENT_RESERVE", Wait, Failed),
    row("tecNEED_MASTER_KEY", Wait, Failed),
    row("tecDST_TAG_NEEDED", Wait, Failed),
    row("tecINTERNAL", Wait, ServerFault),
    row("tecOVERSIZE", Wait, ServerFault),
    row("tecCRYPTOCONDITION_ERROR", Wait, Failed),
    row("tecINVARIANT_FAILED", Wait, ServerFault),
    row("tecEXPIRED", Wait, Failed),
    row("tecDUPLICATE", Wait, Failed),
    row("tecKILLED", Wait, Failed),
    row("tecHAS_OBLIGATIONS", Wait, Failed),
    row("tecTOO_SOON", Wait, Failed),
    row("tecMAX_SEQUENCE_REACHED", Wait, Failed),
    row("tecNO_SUITABLE_NFTOKEN_PAGE", Wait, Failed),
    row("tecNFTOKEN_BUY_SELL_MISMATCH", Wait, Failed),
    row("tecNFTOKEN_OFFER_TYPE_MISMATCH", Wait, Failed),
    row("tecCANT_ACCEPT_OWN_NFTOKEN_OFFER", Wait, Failed),
    row("tecINSUFFICIENT_FUNDS", Wait, Failed),
    row("tecOBJECT_NOT_FOUND", Wait, Failed),
    row("tecINSUFFICIENT_PAYMENT", Wait, Failed),
    row("tecUNFUNDED_AMM", Wait, Failed),
    row("tecAMM_BALANCE", Wait, Failed),
    row("tecAMM_FAILED", Wait, Failed),
    row("tecAMM_INVALID_TOKENS", Wait, Failed),
    row("tecAMM_EMPTY", Wait, Failed),
    row("tecAMM_NOT_EMPTY", Wait, Failed),
    row("tecAMM_ACCOUNT", Wait, Failed),
    row("tecINCOMPLETE", Wait, Failed),
    row("tecXCHAIN_BAD_TRANSFER_ISSUE", Wait, Failed),
    row("tecXCHAIN_NO_CLAIM_ID", Wait, Failed),
    row("tecXCHAIN_BAD_CLAIM_ID", Wait, Failed),
    row("tecXCHAIN_CLAIM_NO_QUORUM", Wait, Failed),
    row("tecXCHAIN_PROOF_UNKNOWN_KEY", Wait, Failed),
    row("tecXCHAIN_CREATE_ACCOUNT_NONXRP_ISSUE", Wait, Failed),
    row("tecXCHAIN_WRONG_CHAIN", Wait, Failed),
    row("tecXCHAIN_REWARD_MISMATCH", Wait, Failed),
    row("tecXCHAIN_NO_SIGNERS_LIST", Wait, Failed),
    row("tecXCHAIN_SENDING_ACCOUNT_MISMATCH", Wait, Failed),
    row("tecXCHAIN_INSUFF_CREATE_AMOUNT", Wait, Failed),
    row("tecXCHAIN_ACCOUNT_CREATE_PAST", Wait, Failed),
    row("tecXCHAIN_ACCOUNT_CREATE_TOO_MANY", Wait, Failed),
    row("tecXCHAIN_PAYMENT_FAILED", Wait, Failed),
    row("tecXCHAIN_SELF_COMMIT", Wait, Failed),
    row("tecXCHAIN_BAD_PUBLIC_KEY_ACCOUNT_PAIR", Wait, Failed),
    row("tecXCHAIN_CREATE_ACCOUNT_DISABLED", Wait, Failed),
    row("tecEMPTY_DID", Wait, Failed),
    row("tecINVALID_UPDATE_TIME", Wait, Failed),
    row("tecTOKEN_PAIR_NOT_FOUND", Wait, Failed),
    row("tecARRAY_EMPTY", Wait, Failed),
    row("tecARRAY_TOO_LARGE", Wait, Failed),
    row("tecLOCKED", Wait, Failed),
    row("tecBAD_CREDENTIALS", Wait, Failed),
    row("tecWRONG_ASSET", Wait, Failed),
    row("tecLIMIT_EXCEEDED", Wait, Failed),
    row("tecPSEUDO_ACCOUNT", Wait, Failed),
    row("tecPRECISION_LOSS", Wait, Failed),
    row("tecNO_DELEGATE_PERMISSION", Wait, Failed),
    row("tecBAD_PROOF", Wait, Failed),
    row("tecNO_SPONSOR_PERMISSION", Wait, Failed),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_agrees_with_its_class() {
        for code in TABLE {
            match Class::of(code.name) {
                Class::Tes => assert_eq!(code.on_validated, Delivered),
                Class::Tec => assert!(
                    matches!(code.on_validated, Failed | Short | ServerFault)
                        && code.on_submit == Wait,
                    "{code:?}"
                ),
                Class::Tem => assert_eq!((code.on_submit, code.on_validated), (Never, Impossible)),
                Class::Ter | Class::Tef | Class::Tel => {
                    assert_eq!(code.on_validated, Impossible, "{code:?}");
                    assert_ne!(code.on_submit, Never, "{code:?}: only tem means never");
                }
                Class::Unknown => panic!("{code:?} has no class"),
            }
        }
    }

    #[test]
    fn no_code_stands_twice() {
        let names: std::collections::BTreeSet<_> = TABLE.iter().map(|code| code.name).collect();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn an_unknown_code_acts_by_its_class() {
        assert_eq!(on_submit("temNEW_AND_STRANGE"), Never);
        assert_eq!(on_submit("telNEW"), Elsewhere);
        assert_eq!(on_submit("terNEW"), Wait);
        assert_eq!(on_submit(""), Wait);
        assert_eq!(on_validated("tecNEW"), Failed);
        assert_eq!(on_validated("tesNEW"), Impossible);
        assert_eq!(label("tecNEW"), "tec_unknown");
    }
}
