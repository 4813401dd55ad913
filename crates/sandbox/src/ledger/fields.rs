//! The ledger's fields and types by their numbers, as far as the model reads or writes them itself.
//!
//! Owns names only. The codec knows every field for printing; what stands here is what rules touch.

/// Transaction types by their number.
pub(crate) mod types {
    pub(crate) const PAYMENT: u16 = 0;
    pub(crate) const ESCROW_CREATE: u16 = 1;
    pub(crate) const ESCROW_FINISH: u16 = 2;
    pub(crate) const ACCOUNT_SET: u16 = 3;
    pub(crate) const ESCROW_CANCEL: u16 = 4;
    pub(crate) const SET_REGULAR_KEY: u16 = 5;
    pub(crate) const OFFER_CREATE: u16 = 7;
    pub(crate) const OFFER_CANCEL: u16 = 8;
    pub(crate) const TICKET_CREATE: u16 = 10;
    pub(crate) const SIGNER_LIST_SET: u16 = 12;
    pub(crate) const CHANNEL_CREATE: u16 = 13;
    pub(crate) const CHANNEL_FUND: u16 = 14;
    pub(crate) const CHANNEL_CLAIM: u16 = 15;
    pub(crate) const CHECK_CREATE: u16 = 16;
    pub(crate) const CHECK_CASH: u16 = 17;
    pub(crate) const CHECK_CANCEL: u16 = 18;
    pub(crate) const DEPOSIT_PREAUTH: u16 = 19;
    pub(crate) const TRUST_SET: u16 = 20;
    pub(crate) const ACCOUNT_DELETE: u16 = 21;
    pub(crate) const CLAWBACK: u16 = 30;
    pub(crate) const MPT_ISSUANCE_CREATE: u16 = 54;
    pub(crate) const MPT_ISSUANCE_DESTROY: u16 = 55;
    pub(crate) const MPT_ISSUANCE_SET: u16 = 56;
    pub(crate) const MPT_AUTHORIZE: u16 = 57;
    /// The first of the types that only validators make.
    pub(crate) const PSEUDO_FIRST: u16 = 100;
}

/// Types of state entries by their number in `LedgerEntryType`.
pub(crate) mod lt {
    pub(crate) const ACCOUNT: u16 = 0x61;
    pub(crate) const DIR: u16 = 0x64;
    pub(crate) const TICKET: u16 = 0x54;
    pub(crate) const SIGNER_LIST: u16 = 0x53;
    pub(crate) const CHECK: u16 = 0x43;
    pub(crate) const OFFER: u16 = 0x6F;
    pub(crate) const NFT_PAGE: u16 = 0x50;
    pub(crate) const DEPOSIT_PREAUTH: u16 = 0x70;
    pub(crate) const LINE: u16 = 0x72;
    pub(crate) const ESCROW: u16 = 0x75;
    pub(crate) const CHANNEL: u16 = 0x78;
    pub(crate) const MPT_ISSUANCE: u16 = 0x7E;
    pub(crate) const MPT_HOLDING: u16 = 0x7F;
}

/// Fields by their ids.
pub(crate) mod f {
    use crate::st::{FieldId, kind};

    pub(crate) const LEDGER_ENTRY_TYPE: FieldId = FieldId(kind::U16, 1);
    pub(crate) const TRANSACTION_TYPE: FieldId = FieldId(kind::U16, 2);
    pub(crate) const SIGNER_WEIGHT: FieldId = FieldId(kind::U16, 3);
    pub(crate) const TRANSFER_FEE: FieldId = FieldId(kind::U16, 4);

    pub(crate) const NETWORK_ID: FieldId = FieldId(kind::U32, 1);
    pub(crate) const FLAGS: FieldId = FieldId(kind::U32, 2);
    pub(crate) const SOURCE_TAG: FieldId = FieldId(kind::U32, 3);
    pub(crate) const SEQUENCE: FieldId = FieldId(kind::U32, 4);
    pub(crate) const PREVIOUS_TXN_LGR_SEQ: FieldId = FieldId(kind::U32, 5);
    pub(crate) const EXPIRATION: FieldId = FieldId(kind::U32, 10);
    pub(crate) const TRANSFER_RATE: FieldId = FieldId(kind::U32, 11);
    pub(crate) const OWNER_COUNT: FieldId = FieldId(kind::U32, 13);
    pub(crate) const DESTINATION_TAG: FieldId = FieldId(kind::U32, 14);
    pub(crate) const HIGH_QUALITY_IN: FieldId = FieldId(kind::U32, 16);
    pub(crate) const HIGH_QUALITY_OUT: FieldId = FieldId(kind::U32, 17);
    pub(crate) const LOW_QUALITY_IN: FieldId = FieldId(kind::U32, 18);
    pub(crate) const LOW_QUALITY_OUT: FieldId = FieldId(kind::U32, 19);
    pub(crate) const QUALITY_IN: FieldId = FieldId(kind::U32, 20);
    pub(crate) const QUALITY_OUT: FieldId = FieldId(kind::U32, 21);
    pub(crate) const OFFER_SEQUENCE: FieldId = FieldId(kind::U32, 25);
    pub(crate) const LAST_LEDGER_SEQUENCE: FieldId = FieldId(kind::U32, 27);
    pub(crate) const TRANSACTION_INDEX: FieldId = FieldId(kind::U32, 28);
    pub(crate) const SET_FLAG: FieldId = FieldId(kind::U32, 33);
    pub(crate) const CLEAR_FLAG: FieldId = FieldId(kind::U32, 34);
    pub(crate) const SIGNER_QUORUM: FieldId = FieldId(kind::U32, 35);
    pub(crate) const CANCEL_AFTER: FieldId = FieldId(kind::U32, 36);
    pub(crate) const FINISH_AFTER: FieldId = FieldId(kind::U32, 37);
    pub(crate) const SIGNER_LIST_ID: FieldId = FieldId(kind::U32, 38);
    pub(crate) const SETTLE_DELAY: FieldId = FieldId(kind::U32, 39);
    pub(crate) const TICKET_COUNT: FieldId = FieldId(kind::U32, 40);
    pub(crate) const TICKET_SEQUENCE: FieldId = FieldId(kind::U32, 41);
    /// The members of a directory's page; of the model's log only.
    pub(crate) const PAGE_MEMBERS: FieldId = FieldId(kind::BLOB, 250);

    pub(crate) const INDEX_NEXT: FieldId = FieldId(kind::U64, 1);
    pub(crate) const INDEX_PREVIOUS: FieldId = FieldId(kind::U64, 2);
    pub(crate) const BOOK_NODE: FieldId = FieldId(kind::U64, 3);
    pub(crate) const OWNER_NODE: FieldId = FieldId(kind::U64, 4);
    pub(crate) const EXCHANGE_RATE: FieldId = FieldId(kind::U64, 6);
    pub(crate) const LOW_NODE: FieldId = FieldId(kind::U64, 7);
    pub(crate) const HIGH_NODE: FieldId = FieldId(kind::U64, 8);
    pub(crate) const DESTINATION_NODE: FieldId = FieldId(kind::U64, 9);
    pub(crate) const MAXIMUM_AMOUNT: FieldId = FieldId(kind::U64, 24);
    pub(crate) const OUTSTANDING_AMOUNT: FieldId = FieldId(kind::U64, 25);
    pub(crate) const MPT_AMOUNT: FieldId = FieldId(kind::U64, 26);

    pub(crate) const EMAIL_HASH: FieldId = FieldId(kind::H128, 1);
    pub(crate) const MPT_ISSUANCE_ID: FieldId = FieldId(kind::H192, 1);
    pub(crate) const TAKER_PAYS_CURRENCY: FieldId = FieldId(kind::H160, 1);
    pub(crate) const TAKER_PAYS_ISSUER: FieldId = FieldId(kind::H160, 2);
    pub(crate) const TAKER_GETS_CURRENCY: FieldId = FieldId(kind::H160, 3);
    pub(crate) const TAKER_GETS_ISSUER: FieldId = FieldId(kind::H160, 4);

    pub(crate) const PREVIOUS_TXN_ID: FieldId = FieldId(kind::H256, 5);
    pub(crate) const LEDGER_INDEX: FieldId = FieldId(kind::H256, 6);
    pub(crate) const WALLET_LOCATOR: FieldId = FieldId(kind::H256, 7);
    pub(crate) const ROOT_INDEX: FieldId = FieldId(kind::H256, 8);
    pub(crate) const ACCOUNT_TXN_ID: FieldId = FieldId(kind::H256, 9);
    pub(crate) const BOOK_DIRECTORY: FieldId = FieldId(kind::H256, 16);
    pub(crate) const INVOICE_ID: FieldId = FieldId(kind::H256, 17);
    pub(crate) const CHANNEL: FieldId = FieldId(kind::H256, 22);
    pub(crate) const CHECK_ID: FieldId = FieldId(kind::H256, 24);

    pub(crate) const AMOUNT: FieldId = FieldId(kind::AMOUNT, 1);
    pub(crate) const BALANCE: FieldId = FieldId(kind::AMOUNT, 2);
    pub(crate) const LIMIT_AMOUNT: FieldId = FieldId(kind::AMOUNT, 3);
    pub(crate) const TAKER_PAYS: FieldId = FieldId(kind::AMOUNT, 4);
    pub(crate) const TAKER_GETS: FieldId = FieldId(kind::AMOUNT, 5);
    pub(crate) const LOW_LIMIT: FieldId = FieldId(kind::AMOUNT, 6);
    pub(crate) const HIGH_LIMIT: FieldId = FieldId(kind::AMOUNT, 7);
    pub(crate) const FEE: FieldId = FieldId(kind::AMOUNT, 8);
    pub(crate) const SEND_MAX: FieldId = FieldId(kind::AMOUNT, 9);
    pub(crate) const DELIVER_MIN: FieldId = FieldId(kind::AMOUNT, 10);
    pub(crate) const DELIVERED_AMOUNT: FieldId = FieldId(kind::AMOUNT, 18);

    pub(crate) const PUBLIC_KEY: FieldId = FieldId(kind::BLOB, 1);
    pub(crate) const MESSAGE_KEY: FieldId = FieldId(kind::BLOB, 2);
    pub(crate) const SIGNING_PUB_KEY: FieldId = FieldId(kind::BLOB, 3);
    pub(crate) const TXN_SIGNATURE: FieldId = FieldId(kind::BLOB, 4);
    pub(crate) const SIGNATURE: FieldId = FieldId(kind::BLOB, 6);
    pub(crate) const DOMAIN: FieldId = FieldId(kind::BLOB, 7);
    pub(crate) const FULFILLMENT: FieldId = FieldId(kind::BLOB, 16);
    pub(crate) const CONDITION: FieldId = FieldId(kind::BLOB, 17);
    pub(crate) const MPT_METADATA: FieldId = FieldId(kind::BLOB, 30);

    pub(crate) const ACCOUNT: FieldId = FieldId(kind::ACCOUNT, 1);
    pub(crate) const OWNER: FieldId = FieldId(kind::ACCOUNT, 2);
    pub(crate) const DESTINATION: FieldId = FieldId(kind::ACCOUNT, 3);
    pub(crate) const ISSUER: FieldId = FieldId(kind::ACCOUNT, 4);
    pub(crate) const AUTHORIZE: FieldId = FieldId(kind::ACCOUNT, 5);
    pub(crate) const UNAUTHORIZE: FieldId = FieldId(kind::ACCOUNT, 6);
    pub(crate) const REGULAR_KEY: FieldId = FieldId(kind::ACCOUNT, 8);
    pub(crate) const NFTOKEN_MINTER: FieldId = FieldId(kind::ACCOUNT, 9);
    pub(crate) const HOLDER: FieldId = FieldId(kind::ACCOUNT, 11);

    pub(crate) const CREATED_NODE: FieldId = FieldId(kind::OBJECT, 3);
    pub(crate) const DELETED_NODE: FieldId = FieldId(kind::OBJECT, 4);
    pub(crate) const MODIFIED_NODE: FieldId = FieldId(kind::OBJECT, 5);
    pub(crate) const PREVIOUS_FIELDS: FieldId = FieldId(kind::OBJECT, 6);
    pub(crate) const FINAL_FIELDS: FieldId = FieldId(kind::OBJECT, 7);
    pub(crate) const NEW_FIELDS: FieldId = FieldId(kind::OBJECT, 8);
    pub(crate) const SIGNER: FieldId = FieldId(kind::OBJECT, 16);
    pub(crate) const SIGNER_ENTRY: FieldId = FieldId(kind::OBJECT, 11);

    pub(crate) const SIGNERS: FieldId = FieldId(kind::ARRAY, 3);
    pub(crate) const SIGNER_ENTRIES: FieldId = FieldId(kind::ARRAY, 4);
    pub(crate) const AFFECTED_NODES: FieldId = FieldId(kind::ARRAY, 8);
    pub(crate) const MEMOS: FieldId = FieldId(kind::ARRAY, 9);

    pub(crate) const AUTHORIZE_CREDENTIALS: FieldId = FieldId(kind::ARRAY, 26);
    pub(crate) const UNAUTHORIZE_CREDENTIALS: FieldId = FieldId(kind::ARRAY, 27);
    pub(crate) const INDEXES: FieldId = FieldId(kind::HASHES, 1);
    pub(crate) const CREDENTIAL_IDS: FieldId = FieldId(kind::HASHES, 5);

    pub(crate) const TRANSACTION_RESULT: FieldId = FieldId(kind::U8, 3);
    pub(crate) const ASSET_SCALE: FieldId = FieldId(kind::U8, 5);
    pub(crate) const TICK_SIZE: FieldId = FieldId(kind::U8, 16);
    pub(crate) const PATHS: FieldId = FieldId(18, 1);
}
