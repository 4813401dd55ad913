-- What the ledger itself remembers of payments that this database does not know: it was lost, or
-- restored from an older copy. A payment that is asked for again is found here by its marker.
create table remembered (
    wallet          text    not null,
    marker          blob    not null,
    hash            blob    not null,
    ledger_index    integer not null,
    ledger_hash     blob    not null,
    tx_index        integer not null,
    result          text    not null,
    slot_kind       text    not null,
    slot            integer not null,
    fee_drops       integer not null,
    destination     text,
    destination_tag integer,
    delivered_kind  text    not null,
    delivered_value text,
    servers         text    not null,
    constraint remembered_pk primary key (wallet, marker, hash),
    constraint remembered_slot_kind check (slot_kind in ('sequence', 'ticket')),
    constraint remembered_delivered check (delivered_kind in ('nothing', 'xrp', 'other', 'unavailable'))
) strict;

-- The ledgers before the journal's beginning that are still to be read for such payments; both null
-- once they are, or where there was nothing to read.
alter table wallets add column recall_from integer;
alter table wallets add column recall_to integer;
