//! The result codes that the model can answer, with rippled's numbers and words.
//!
//! Owns the table; a number that is not in it cannot be built outside this module.

/// A transaction engine result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ter(i16);

macro_rules! codes {
    ($($constant:ident = $code:literal, $name:literal, $message:literal;)*) => {
        impl Ter {
            $(pub(crate) const $constant: Self = Self($code);)*

            /// Every code.
            pub(crate) const ALL: &[Self] = &[$(Self::$constant,)*];

            /// The code's text, such as `tesSUCCESS`.
            pub(crate) const fn name(self) -> &'static str {
                match self.0 { $($code => $name,)* _ => "telLOCAL_ERROR" }
            }

            /// What rippled says of it to people.
            pub(crate) const fn message(self) -> &'static str {
                match self.0 { $($code => $message,)* _ => "Local failure." }
            }

            /// The code with this number, for results read back from a log.
            pub(crate) const fn from_number(code: i16) -> Option<Self> {
                match code { $($code => Some(Self($code)),)* _ => None }
            }

            /// The code with this text.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self($code)),)* _ => None }
            }
        }
    };
}

codes! {
    TEL_LOCAL_ERROR = -399, "telLOCAL_ERROR", "Local failure.";
    TEL_BAD_DOMAIN = -398, "telBAD_DOMAIN", "Domain too long.";
    TEL_BAD_PATH_COUNT = -397, "telBAD_PATH_COUNT", "Malformed: Too many paths.";
    TEL_BAD_PUBLIC_KEY = -396, "telBAD_PUBLIC_KEY", "Public key is not valid.";
    TEL_FAILED_PROCESSING = -395, "telFAILED_PROCESSING", "Failed to correctly process transaction.";
    TEL_INSUF_FEE_P = -394, "telINSUF_FEE_P", "Fee insufficient.";
    TEL_NO_DST_PARTIAL = -393, "telNO_DST_PARTIAL", "Partial payment to create account not allowed.";
    TEL_CAN_NOT_QUEUE = -392, "telCAN_NOT_QUEUE", "Can not queue at this time.";
    TEL_CAN_NOT_QUEUE_BALANCE = -391, "telCAN_NOT_QUEUE_BALANCE", "Can not queue at this time: insufficient balance to pay all queued fees.";
    TEL_CAN_NOT_QUEUE_BLOCKS = -390, "telCAN_NOT_QUEUE_BLOCKS", "Can not queue at this time: would block later queued transaction(s).";
    TEL_CAN_NOT_QUEUE_BLOCKED = -389, "telCAN_NOT_QUEUE_BLOCKED", "Can not queue at this time: blocking transaction in queue.";
    TEL_CAN_NOT_QUEUE_FEE = -388, "telCAN_NOT_QUEUE_FEE", "Can not queue at this time: fee insufficient to replace queued transaction.";
    TEL_CAN_NOT_QUEUE_FULL = -387, "telCAN_NOT_QUEUE_FULL", "Can not queue at this time: queue is full.";
    TEL_WRONG_NETWORK = -386, "telWRONG_NETWORK", "Transaction specifies a Network ID that differs from that of the local node.";
    TEL_REQUIRES_NETWORK_ID = -385, "telREQUIRES_NETWORK_ID", "Transactions submitted to this node/network must include a correct NetworkID field.";
    TEL_NETWORK_ID_NON_CANONICAL = -384, "telNETWORK_ID_MAKES_TX_NON_CANONICAL", "Transactions submitted to this node/network must NOT include a NetworkID field.";
    TEL_ENV_RPC_FAILED = -383, "telENV_RPC_FAILED", "Unit test RPC failure.";
    TEM_MALFORMED = -299, "temMALFORMED", "Malformed transaction.";
    TEM_BAD_AMOUNT = -298, "temBAD_AMOUNT", "Malformed: Bad amount.";
    TEM_BAD_CURRENCY = -297, "temBAD_CURRENCY", "Malformed: Bad currency.";
    TEM_BAD_EXPIRATION = -296, "temBAD_EXPIRATION", "Malformed: Bad expiration.";
    TEM_BAD_FEE = -295, "temBAD_FEE", "Invalid fee, negative or not XRP.";
    TEM_BAD_ISSUER = -294, "temBAD_ISSUER", "Malformed: Bad issuer.";
    TEM_BAD_LIMIT = -293, "temBAD_LIMIT", "Limits must be non-negative.";
    TEM_BAD_OFFER = -292, "temBAD_OFFER", "Malformed: Bad offer.";
    TEM_BAD_PATH = -291, "temBAD_PATH", "Malformed: Bad path.";
    TEM_BAD_PATH_LOOP = -290, "temBAD_PATH_LOOP", "Malformed: Loop in path.";
    TEM_BAD_REGKEY = -289, "temBAD_REGKEY", "Malformed: Regular key cannot be same as master key.";
    TEM_BAD_SEND_XRP_LIMIT = -288, "temBAD_SEND_XRP_LIMIT", "Malformed: Limit quality is not allowed for XRP to XRP.";
    TEM_BAD_SEND_XRP_MAX = -287, "temBAD_SEND_XRP_MAX", "Malformed: Send max is not allowed for XRP to XRP.";
    TEM_BAD_SEND_XRP_NO_DIRECT = -286, "temBAD_SEND_XRP_NO_DIRECT", "Malformed: No Ripple direct is not allowed for XRP to XRP.";
    TEM_BAD_SEND_XRP_PARTIAL = -285, "temBAD_SEND_XRP_PARTIAL", "Malformed: Partial payment is not allowed for XRP to XRP.";
    TEM_BAD_SEND_XRP_PATHS = -284, "temBAD_SEND_XRP_PATHS", "Malformed: Paths are not allowed for XRP to XRP.";
    TEM_BAD_SEQUENCE = -283, "temBAD_SEQUENCE", "Malformed: Sequence is not in the past.";
    TEM_BAD_SIGNATURE = -282, "temBAD_SIGNATURE", "Malformed: Bad signature.";
    TEM_BAD_SRC_ACCOUNT = -281, "temBAD_SRC_ACCOUNT", "Malformed: Bad source account.";
    TEM_BAD_TRANSFER_RATE = -280, "temBAD_TRANSFER_RATE", "Malformed: Transfer rate must be >= 1.0 and <= 2.0";
    TEM_DST_IS_SRC = -279, "temDST_IS_SRC", "Destination may not be source.";
    TEM_DST_NEEDED = -278, "temDST_NEEDED", "Destination not specified.";
    TEM_INVALID = -277, "temINVALID", "The transaction is ill-formed.";
    TEM_INVALID_FLAG = -276, "temINVALID_FLAG", "The transaction has an invalid flag.";
    TEM_REDUNDANT = -275, "temREDUNDANT", "The transaction is redundant.";
    TEM_RIPPLE_EMPTY = -274, "temRIPPLE_EMPTY", "PathSet with no paths.";
    TEM_DISABLED = -273, "temDISABLED", "The transaction requires logic that is currently disabled.";
    TEM_BAD_SIGNER = -272, "temBAD_SIGNER", "Malformed: No signer may duplicate account or other signers.";
    TEM_BAD_QUORUM = -271, "temBAD_QUORUM", "Malformed: Quorum is unreachable.";
    TEM_BAD_WEIGHT = -270, "temBAD_WEIGHT", "Malformed: Weight must be a positive value.";
    TEM_BAD_TICK_SIZE = -269, "temBAD_TICK_SIZE", "Malformed: Tick size out of range.";
    TEM_INVALID_ACCOUNT_ID = -268, "temINVALID_ACCOUNT_ID", "Malformed: A field contains an invalid account ID.";
    TEM_CANNOT_PREAUTH_SELF = -267, "temCANNOT_PREAUTH_SELF", "Malformed: An account may not preauthorize itself.";
    TEM_INVALID_COUNT = -266, "temINVALID_COUNT", "Malformed: Count field outside valid range.";
    TEM_UNCERTAIN = -265, "temUNCERTAIN", "In process of determining result. Never returned.";
    TEM_UNKNOWN = -264, "temUNKNOWN", "The transaction requires logic that is not implemented yet.";
    TEM_SEQ_AND_TICKET = -263, "temSEQ_AND_TICKET", "Transaction contains a TicketSequence and a non-zero Sequence.";
    TEM_BAD_NFTOKEN_TRANSFER_FEE = -262, "temBAD_NFTOKEN_TRANSFER_FEE", "Malformed: The NFToken transfer fee must be between 1 and 5000, inclusive.";
    TEM_BAD_AMM_TOKENS = -261, "temBAD_AMM_TOKENS", "Malformed: Invalid LPTokens.";
    TEM_XCHAIN_EQUAL_DOOR_ACCOUNTS = -260, "temXCHAIN_EQUAL_DOOR_ACCOUNTS", "Malformed: Bridge must have unique door accounts.";
    TEM_XCHAIN_BAD_PROOF = -259, "temXCHAIN_BAD_PROOF", "Malformed: Bad cross-chain claim proof.";
    TEM_XCHAIN_BRIDGE_BAD_ISSUES = -258, "temXCHAIN_BRIDGE_BAD_ISSUES", "Malformed: Bad bridge issues.";
    TEM_XCHAIN_BRIDGE_NONDOOR_OWNER = -257, "temXCHAIN_BRIDGE_NONDOOR_OWNER", "Malformed: Bridge owner must be one of the door accounts.";
    TEM_XCHAIN_BRIDGE_BAD_MIN_ACCOUNT_CREATE_AMOUNT = -256, "temXCHAIN_BRIDGE_BAD_MIN_ACCOUNT_CREATE_AMOUNT", "Malformed: Bad min account create amount.";
    TEM_XCHAIN_BRIDGE_BAD_REWARD_AMOUNT = -255, "temXCHAIN_BRIDGE_BAD_REWARD_AMOUNT", "Malformed: Bad reward amount.";
    TEM_EMPTY_DID = -254, "temEMPTY_DID", "Malformed: No DID data provided.";
    TEM_ARRAY_EMPTY = -253, "temARRAY_EMPTY", "Malformed: Array is empty.";
    TEM_ARRAY_TOO_LARGE = -252, "temARRAY_TOO_LARGE", "Malformed: Array is too large.";
    TEM_BAD_TRANSFER_FEE = -251, "temBAD_TRANSFER_FEE", "Malformed: Transfer fee is outside valid range.";
    TEF_FAILURE = -199, "tefFAILURE", "Failed to apply.";
    TEF_ALREADY = -198, "tefALREADY", "The exact transaction was already in this ledger.";
    TEF_BAD_ADD_AUTH = -197, "tefBAD_ADD_AUTH", "Not authorized to add account.";
    TEF_BAD_AUTH = -196, "tefBAD_AUTH", "Transaction's public key is not authorized.";
    TEF_BAD_LEDGER = -195, "tefBAD_LEDGER", "Ledger in unexpected state.";
    TEF_CREATED = -194, "tefCREATED", "Can't add an already created account.";
    TEF_EXCEPTION = -193, "tefEXCEPTION", "Unexpected program state.";
    TEF_INTERNAL = -192, "tefINTERNAL", "Internal error.";
    TEF_NO_AUTH_REQUIRED = -191, "tefNO_AUTH_REQUIRED", "Auth is not required.";
    TEF_PAST_SEQ = -190, "tefPAST_SEQ", "This sequence number has already passed.";
    TEF_WRONG_PRIOR = -189, "tefWRONG_PRIOR", "This previous transaction does not match.";
    TEF_MASTER_DISABLED = -188, "tefMASTER_DISABLED", "Master key is disabled.";
    TEF_MAX_LEDGER = -187, "tefMAX_LEDGER", "Ledger sequence too high.";
    TEF_BAD_SIGNATURE = -186, "tefBAD_SIGNATURE", "A signature is provided for a non-signer.";
    TEF_BAD_QUORUM = -185, "tefBAD_QUORUM", "Signatures provided do not meet the quorum.";
    TEF_NOT_MULTI_SIGNING = -184, "tefNOT_MULTI_SIGNING", "Account has no appropriate list of multi-signers.";
    TEF_BAD_AUTH_MASTER = -183, "tefBAD_AUTH_MASTER", "Auth for unclaimed account needs correct master key.";
    TEF_INVARIANT_FAILED = -182, "tefINVARIANT_FAILED", "Fee claim violated invariants for the transaction.";
    TEF_TOO_BIG = -181, "tefTOO_BIG", "Transaction affects too many items.";
    TEF_NO_TICKET = -180, "tefNO_TICKET", "Ticket is not in ledger.";
    TEF_NFTOKEN_IS_NOT_TRANSFERABLE = -179, "tefNFTOKEN_IS_NOT_TRANSFERABLE", "The specified NFToken is not transferable.";
    TEF_INVALID_LEDGER_FIX_TYPE = -178, "tefINVALID_LEDGER_FIX_TYPE", "The LedgerFixType field has an invalid value.";
    TER_RETRY = -99, "terRETRY", "Retry transaction.";
    TER_FUNDS_SPENT = -98, "terFUNDS_SPENT", "DEPRECATED.";
    TER_INSUF_FEE_B = -97, "terINSUF_FEE_B", "Account balance can't pay fee.";
    TER_NO_ACCOUNT = -96, "terNO_ACCOUNT", "The source account does not exist.";
    TER_NO_AUTH = -95, "terNO_AUTH", "Not authorized to hold IOUs.";
    TER_NO_LINE = -94, "terNO_LINE", "No such line.";
    TER_OWNERS = -93, "terOWNERS", "Non-zero owner count.";
    TER_PRE_SEQ = -92, "terPRE_SEQ", "Missing/inapplicable prior transaction.";
    TER_LAST = -91, "terLAST", "DEPRECATED.";
    TER_NO_RIPPLE = -90, "terNO_RIPPLE", "Path does not permit rippling.";
    TER_QUEUED = -89, "terQUEUED", "Held until escalated fee drops.";
    TER_PRE_TICKET = -88, "terPRE_TICKET", "Ticket is not yet in ledger.";
    TER_NO_AMM = -87, "terNO_AMM", "AMM doesn't exist for the asset pair.";
    TES_SUCCESS = 0, "tesSUCCESS", "The transaction was applied. Only final in a validated ledger.";
    TEC_CLAIM = 100, "tecCLAIM", "Fee claimed. Sequence used. No action.";
    TEC_PATH_PARTIAL = 101, "tecPATH_PARTIAL", "Path could not send full amount.";
    TEC_UNFUNDED_ADD = 102, "tecUNFUNDED_ADD", "DEPRECATED.";
    TEC_UNFUNDED_OFFER = 103, "tecUNFUNDED_OFFER", "Insufficient balance to fund created offer.";
    TEC_UNFUNDED_PAYMENT = 104, "tecUNFUNDED_PAYMENT", "Insufficient XRP balance to send.";
    TEC_FAILED_PROCESSING = 105, "tecFAILED_PROCESSING", "Failed to correctly process transaction.";
    TEC_DIR_FULL = 121, "tecDIR_FULL", "Can not add entry to full directory.";
    TEC_INSUF_RESERVE_LINE = 122, "tecINSUF_RESERVE_LINE", "Insufficient reserve to add trust line.";
    TEC_INSUF_RESERVE_OFFER = 123, "tecINSUF_RESERVE_OFFER", "Insufficient reserve to create offer.";
    TEC_NO_DST = 124, "tecNO_DST", "Destination does not exist. Send XRP to create it.";
    TEC_NO_DST_INSUF_XRP = 125, "tecNO_DST_INSUF_XRP", "Destination does not exist. Too little XRP sent to create it.";
    TEC_NO_LINE_INSUF_RESERVE = 126, "tecNO_LINE_INSUF_RESERVE", "No such line. Too little reserve to create it.";
    TEC_NO_LINE_REDUNDANT = 127, "tecNO_LINE_REDUNDANT", "Can't set non-existent line to default.";
    TEC_PATH_DRY = 128, "tecPATH_DRY", "Path could not send partial amount.";
    TEC_UNFUNDED = 129, "tecUNFUNDED", "Not enough XRP to satisfy the reserve requirement.";
    TEC_NO_ALTERNATIVE_KEY = 130, "tecNO_ALTERNATIVE_KEY", "The operation would remove the ability to sign transactions with the account.";
    TEC_NO_REGULAR_KEY = 131, "tecNO_REGULAR_KEY", "Regular key is not set.";
    TEC_OWNERS = 132, "tecOWNERS", "Non-zero owner count.";
    TEC_NO_ISSUER = 133, "tecNO_ISSUER", "Issuer account does not exist.";
    TEC_NO_AUTH = 134, "tecNO_AUTH", "Not authorized to hold asset.";
    TEC_NO_LINE = 135, "tecNO_LINE", "No such line.";
    TEC_INSUFF_FEE = 136, "tecINSUFF_FEE", "Insufficient balance to pay fee.";
    TEC_FROZEN = 137, "tecFROZEN", "Asset is frozen.";
    TEC_NO_TARGET = 138, "tecNO_TARGET", "Target account does not exist.";
    TEC_NO_PERMISSION = 139, "tecNO_PERMISSION", "No permission to perform requested operation.";
    TEC_NO_ENTRY = 140, "tecNO_ENTRY", "No matching entry found.";
    TEC_INSUFFICIENT_RESERVE = 141, "tecINSUFFICIENT_RESERVE", "Insufficient reserve to complete requested operation.";
    TEC_NEED_MASTER_KEY = 142, "tecNEED_MASTER_KEY", "The operation requires the use of the Master Key.";
    TEC_DST_TAG_NEEDED = 143, "tecDST_TAG_NEEDED", "A destination tag is required.";
    TEC_INTERNAL = 144, "tecINTERNAL", "An internal error has occurred during processing.";
    TEC_OVERSIZE = 145, "tecOVERSIZE", "Object exceeded serialization limits.";
    TEC_CRYPTOCONDITION_ERROR = 146, "tecCRYPTOCONDITION_ERROR", "Malformed, invalid, or mismatched conditional or fulfillment.";
    TEC_INVARIANT_FAILED = 147, "tecINVARIANT_FAILED", "One or more invariants for the transaction were not satisfied.";
    TEC_EXPIRED = 148, "tecEXPIRED", "Expiration time is passed.";
    TEC_DUPLICATE = 149, "tecDUPLICATE", "Ledger object already exists.";
    TEC_KILLED = 150, "tecKILLED", "No funds transferred and no offer created.";
    TEC_HAS_OBLIGATIONS = 151, "tecHAS_OBLIGATIONS", "The account cannot be deleted since it has obligations.";
    TEC_TOO_SOON = 152, "tecTOO_SOON", "It is too early to attempt the requested operation. Please wait.";
    TEC_MAX_SEQUENCE_REACHED = 154, "tecMAX_SEQUENCE_REACHED", "The maximum sequence number was reached.";
    TEC_NO_SUITABLE_NFTOKEN_PAGE = 155, "tecNO_SUITABLE_NFTOKEN_PAGE", "A suitable NFToken page could not be located.";
    TEC_NFTOKEN_BUY_SELL_MISMATCH = 156, "tecNFTOKEN_BUY_SELL_MISMATCH", "The 'Buy' and 'Sell' NFToken offers are mismatched.";
    TEC_NFTOKEN_OFFER_TYPE_MISMATCH = 157, "tecNFTOKEN_OFFER_TYPE_MISMATCH", "The type of NFToken offer is incorrect.";
    TEC_CANT_ACCEPT_OWN_NFTOKEN_OFFER = 158, "tecCANT_ACCEPT_OWN_NFTOKEN_OFFER", "An NFToken offer cannot be claimed by its owner.";
    TEC_INSUFFICIENT_FUNDS = 159, "tecINSUFFICIENT_FUNDS", "Not enough funds available to complete requested transaction.";
    TEC_OBJECT_NOT_FOUND = 160, "tecOBJECT_NOT_FOUND", "A requested object could not be located.";
    TEC_INSUFFICIENT_PAYMENT = 161, "tecINSUFFICIENT_PAYMENT", "The payment is not sufficient.";
    TEC_UNFUNDED_AMM = 162, "tecUNFUNDED_AMM", "Insufficient balance to fund AMM.";
    TEC_AMM_BALANCE = 163, "tecAMM_BALANCE", "AMM has invalid balance.";
    TEC_AMM_FAILED = 164, "tecAMM_FAILED", "AMM transaction failed.";
    TEC_AMM_INVALID_TOKENS = 165, "tecAMM_INVALID_TOKENS", "AMM invalid LP tokens.";
    TEC_AMM_EMPTY = 166, "tecAMM_EMPTY", "AMM is in empty state.";
    TEC_AMM_NOT_EMPTY = 167, "tecAMM_NOT_EMPTY", "AMM is not in empty state.";
    TEC_AMM_ACCOUNT = 168, "tecAMM_ACCOUNT", "This operation is not allowed on an AMM Account.";
    TEC_INCOMPLETE = 169, "tecINCOMPLETE", "Some work was completed, but more submissions required to finish.";
    TEC_XCHAIN_BAD_TRANSFER_ISSUE = 170, "tecXCHAIN_BAD_TRANSFER_ISSUE", "Bad xchain transfer issue.";
    TEC_XCHAIN_NO_CLAIM_ID = 171, "tecXCHAIN_NO_CLAIM_ID", "No such xchain claim id.";
    TEC_XCHAIN_BAD_CLAIM_ID = 172, "tecXCHAIN_BAD_CLAIM_ID", "Bad xchain claim id.";
    TEC_XCHAIN_CLAIM_NO_QUORUM = 173, "tecXCHAIN_CLAIM_NO_QUORUM", "Quorum was not reached on the xchain claim.";
    TEC_XCHAIN_PROOF_UNKNOWN_KEY = 174, "tecXCHAIN_PROOF_UNKNOWN_KEY", "Unknown key for the xchain proof.";
    TEC_XCHAIN_CREATE_ACCOUNT_NONXRP_ISSUE = 175, "tecXCHAIN_CREATE_ACCOUNT_NONXRP_ISSUE", "Only XRP may be used for xchain create account.";
    TEC_XCHAIN_WRONG_CHAIN = 176, "tecXCHAIN_WRONG_CHAIN", "XChain Transaction was submitted to the wrong chain.";
    TEC_XCHAIN_REWARD_MISMATCH = 177, "tecXCHAIN_REWARD_MISMATCH", "The reward amount must match the reward specified in the xchain bridge.";
    TEC_XCHAIN_NO_SIGNERS_LIST = 178, "tecXCHAIN_NO_SIGNERS_LIST", "The account did not have a signers list.";
    TEC_XCHAIN_SENDING_ACCOUNT_MISMATCH = 179, "tecXCHAIN_SENDING_ACCOUNT_MISMATCH", "The sending account did not match the expected sending account.";
    TEC_XCHAIN_INSUFF_CREATE_AMOUNT = 180, "tecXCHAIN_INSUFF_CREATE_AMOUNT", "Insufficient amount to create an account.";
    TEC_XCHAIN_ACCOUNT_CREATE_PAST = 181, "tecXCHAIN_ACCOUNT_CREATE_PAST", "The account create count has already passed.";
    TEC_XCHAIN_ACCOUNT_CREATE_TOO_MANY = 182, "tecXCHAIN_ACCOUNT_CREATE_TOO_MANY", "There are too many pending account create transactions to submit a new one.";
    TEC_XCHAIN_PAYMENT_FAILED = 183, "tecXCHAIN_PAYMENT_FAILED", "Failed to transfer funds in a xchain transaction.";
    TEC_XCHAIN_SELF_COMMIT = 184, "tecXCHAIN_SELF_COMMIT", "Account cannot commit funds to itself.";
    TEC_XCHAIN_BAD_PUBLIC_KEY_ACCOUNT_PAIR = 185, "tecXCHAIN_BAD_PUBLIC_KEY_ACCOUNT_PAIR", "Bad public key account pair in an xchain transaction.";
    TEC_XCHAIN_CREATE_ACCOUNT_DISABLED = 186, "tecXCHAIN_CREATE_ACCOUNT_DISABLED", "This bridge does not support account creation.";
    TEC_EMPTY_DID = 187, "tecEMPTY_DID", "The DID object did not have a URI or DIDDocument field.";
    TEC_INVALID_UPDATE_TIME = 188, "tecINVALID_UPDATE_TIME", "The Oracle object has invalid LastUpdateTime field.";
    TEC_TOKEN_PAIR_NOT_FOUND = 189, "tecTOKEN_PAIR_NOT_FOUND", "Token pair is not found in Oracle object.";
    TEC_ARRAY_EMPTY = 190, "tecARRAY_EMPTY", "Array is empty.";
    TEC_ARRAY_TOO_LARGE = 191, "tecARRAY_TOO_LARGE", "Array is too large.";
    TEC_LOCKED = 192, "tecLOCKED", "Fund is locked.";
    TEC_BAD_CREDENTIALS = 193, "tecBAD_CREDENTIALS", "Bad credentials.";
}

impl Ter {
    /// The number, as `engine_result_code` carries it.
    pub(crate) const fn number(self) -> i16 {
        self.0
    }

    /// The byte that metadata carries; only `tes` and `tec` reach metadata.
    pub(crate) fn meta_byte(self) -> u8 {
        u8::try_from(self.0).unwrap_or_default()
    }

    pub(crate) const fn is_success(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn is_tec(self) -> bool {
        self.0 >= 100
    }

    pub(crate) const fn is_ter(self) -> bool {
        self.0 < 0 && self.0 >= -99
    }

    pub(crate) const fn is_tef(self) -> bool {
        self.0 < -99 && self.0 >= -199
    }

    pub(crate) const fn is_tem(self) -> bool {
        self.0 < -199 && self.0 >= -299
    }
}

impl std::fmt::Debug for Ter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
