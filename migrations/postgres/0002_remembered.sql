-- What the ledger itself remembers of payments that this database does not know: it was lost, or
-- restored from an older copy. A payment that is asked for again is found here by its marker.
create table remembered (
    wallet          text collate "C" not null,
    marker          bytea not null,
    hash            bytea not null,
    ledger_index    bigint not null,
    ledger_hash     bytea not null,
    tx_index        bigint not null,
    result          text collate "C" not null,
    slot_kind       text collate "C" not null,
    slot            bigint not null,
    fee_drops       bigint not null,
    destination     text collate "C",
    destination_tag bigint,
    delivered_kind  text collate "C" not null,
    delivered_value text collate "C",
    servers         text collate "C" not null,
    constraint remembered_pk primary key (wallet, marker, hash),
    constraint remembered_slot_kind check (slot_kind in ('sequence', 'ticket')),
    constraint remembered_delivered check (delivered_kind in ('nothing', 'xrp', 'other', 'unavailable'))
);

-- The ledgers before the journal's beginning that are still to be read for such payments; both null
-- once they are, or where there was nothing to read.
alter table wallets add column recall_from bigint;
alter table wallets add column recall_to bigint;
