//! The result codes that the model can answer, with rippled's numbers and words.
//!
//! Owns the table; a number that is not in it cannot be built outside this module.

/// A transaction engine result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ter(i16);

macro_rules! codes {
    ($($constant:ident = $code:literal, $name:literal, $message:literal;)*) => {
        #[allow(dead_code, reason = "a table of the ledger's codes, whichever the rules use")]
        impl Ter {
            $(pub(crate) const $constant: Self = Self($code);)*

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
    TEM_INVALID_COUNT = -266, "temINVALID_COUNT", "Malformed: Count field outside valid range.";
    TEM_SEQ_AND_TICKET = -263, "temSEQ_AND_TICKET", "Transaction contains a TicketSequence and a non-zero Sequence.";
    TEF_FAILURE = -199, "tefFAILURE", "Failed to apply.";
    TEF_BAD_AUTH = -196, "tefBAD_AUTH", "Transaction's public key is not authorized.";
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
    TEF_NO_TICKET = -180, "tefNO_TICKET", "Ticket is not in ledger.";
    TER_INSUF_FEE_B = -97, "terINSUF_FEE_B", "Account balance can't pay fee.";
    TER_NO_ACCOUNT = -96, "terNO_ACCOUNT", "The source account does not exist.";
    TER_NO_AUTH = -95, "terNO_AUTH", "Not authorized to hold IOUs.";
    TER_NO_LINE = -94, "terNO_LINE", "No such line.";
    TER_OWNERS = -93, "terOWNERS", "Non-zero owner count.";
    TER_PRE_SEQ = -92, "terPRE_SEQ", "Missing/inapplicable prior transaction.";
    TER_NO_RIPPLE = -90, "terNO_RIPPLE", "Path does not permit rippling.";
    TER_QUEUED = -89, "terQUEUED", "Held until escalated fee drops.";
    TER_PRE_TICKET = -88, "terPRE_TICKET", "Ticket is not yet in ledger.";
    TES_SUCCESS = 0, "tesSUCCESS", "The transaction was applied. Only final in a validated ledger.";
    TEC_PATH_PARTIAL = 101, "tecPATH_PARTIAL", "Path could not send full amount.";
    TEC_UNFUNDED_PAYMENT = 104, "tecUNFUNDED_PAYMENT", "Insufficient XRP balance to send.";
    TEC_DIR_FULL = 121, "tecDIR_FULL", "Can not add entry to full directory.";
    TEC_INSUF_RESERVE_LINE = 122, "tecINSUF_RESERVE_LINE", "Insufficient reserve to add trust line.";
    TEC_NO_DST = 124, "tecNO_DST", "Destination does not exist. Send XRP to create it.";
    TEC_NO_DST_INSUF_XRP = 125, "tecNO_DST_INSUF_XRP", "Destination does not exist. Too little XRP sent to create it.";
    TEC_NO_LINE_INSUF_RESERVE = 126, "tecNO_LINE_INSUF_RESERVE", "No such line. Too little reserve to create it.";
    TEC_NO_LINE_REDUNDANT = 127, "tecNO_LINE_REDUNDANT", "Can't set non-existent line to default.";
    TEC_PATH_DRY = 128, "tecPATH_DRY", "Path could not send partial amount.";
    TEC_NO_ALTERNATIVE_KEY = 130, "tecNO_ALTERNATIVE_KEY", "The operation would remove the ability to sign transactions with the account.";
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
    TEC_EXPIRED = 148, "tecEXPIRED", "Expiration time is passed.";
    TEC_HAS_OBLIGATIONS = 151, "tecHAS_OBLIGATIONS", "The account cannot be deleted since it has obligations.";
    TEC_TOO_SOON = 152, "tecTOO_SOON", "It is too early to attempt the requested operation. Please wait.";
    TEC_INSUFFICIENT_FUNDS = 159, "tecINSUFFICIENT_FUNDS", "Not enough funds available to complete requested transaction.";
    TEC_OBJECT_NOT_FOUND = 160, "tecOBJECT_NOT_FOUND", "A requested object could not be located.";
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

    pub(crate) const fn is_tem(self) -> bool {
        self.0 < -199 && self.0 >= -299
    }
}

impl std::fmt::Debug for Ter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
