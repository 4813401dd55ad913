-- What came in: one row for every credit that a validated transaction was to an account of ours.
create table deposits (
    id               text    not null,
    network_id       integer not null,
    hash             blob    not null,
    account          text    not null,
    -- Empty where not even the asset is known.
    asset            text    not null,
    wallet           text    not null,
    ledger_index     integer not null,
    tx_index         integer not null,
    -- Null where the journal was written before that was kept.
    closed_at        integer,
    transaction_type text    not null,
    sender           text,
    source_tag       integer,
    destination_tag  integer,
    amount_kind      text    not null,
    value            text,
    drops            integer,
    internal         integer not null,
    is_return        integer not null,
    invoice_id       text,
    -- Empty while it is nobody's: the house's.
    client           text    not null,
    unmatched_reason text,
    returned_by      text,
    version          integer not null,
    created_at       integer not null,
    constraint deposits_pk primary key (id),
    constraint deposits_once unique (hash, account, asset, network_id),
    constraint deposits_hash check (length(hash) = 32),
    constraint deposits_amount_kind check (amount_kind in ('exact', 'unknown')),
    constraint deposits_amount check ((amount_kind = 'exact') = (value is not null)),
    constraint deposits_drops check ((drops is not null) = (amount_kind = 'exact' and asset = 'XRP')),
    constraint deposits_internal check (internal in (0, 1)),
    constraint deposits_is_return check (is_return in (0, 1)),
    constraint deposits_placed check (
        (case when invoice_id is not null then 1 else 0 end)
        + (case when unmatched_reason is not null then 1 else 0 end) + internal = 1
    )
) strict;

create index deposits_by_time on deposits (created_at, id);
create index deposits_by_client on deposits (client, created_at, id);
create index deposits_by_sender on deposits (sender, created_at, id) where sender is not null;
create index deposits_of_invoice on deposits (invoice_id, created_at, id) where invoice_id is not null;
create index deposits_unmatched on deposits (created_at, id) where unmatched_reason is not null;

-- What crediting needs of a transaction, and when its ledger closed. Null in the rows of before.
alter table journal_entries add column effects text;
alter table journal_entries add column closed_at integer;

-- The ledgers of a journal from before deposits were booked, whose credits are still to be booked; both
-- null once they are.
alter table wallets add column deposits_from integer;
alter table wallets add column deposits_to integer;
update wallets set deposits_from = cursor_start, deposits_to = cursor_at where cursor_start <= cursor_at;
