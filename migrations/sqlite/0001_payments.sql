-- What we were asked, what we signed, what the ledger said, and what was told about it.
-- Times are milliseconds since the epoch, money is whole drops, hashes are 32 bytes.

create table payments (
    id              text    not null,
    client          text    not null,
    idempotency_key text    not null,
    fingerprint     blob    not null,
    wallet          text    not null,
    status          text    not null,
    substatus       text,
    phase           text    not null,
    version         integer not null,
    destination     text    not null,
    amount_drops    integer not null,
    counted_drops   integer not null,
    reference       text,
    stage           text    not null,
    created_at      integer not null,
    updated_at      integer not null,
    expires_at      integer,
    order_doc       text    not null,
    state_doc       text    not null,
    constraint payments_pk primary key (id),
    constraint payments_idempotency unique (client, idempotency_key),
    constraint payments_status check (status in ('processing', 'succeeded', 'failed', 'expired', 'cancelled')),
    constraint payments_phase check (phase in ('queued', 'in_flight', 'final')),
    constraint payments_phase_of_status check ((phase = 'final') = (status <> 'processing')),
    constraint payments_amount check (amount_drops between 1 and 100000000000000000),
    constraint payments_counted check (counted_drops >= 0)
) strict;

-- The idempotency key is the one random key that every accept has to index; all else follows time.
-- What finds a payment by a name of the caller's choosing is indexed once the payment has its end;
-- those on their way are few and have an index of their own.
create index payments_by_client on payments (client, status, created_at, id);
create index payments_by_time on payments (created_at, id);
create index payments_queued on payments (wallet, id) where phase = 'queued';
create index payments_expiring on payments (wallet, expires_at) where phase = 'queued' and expires_at is not null;
create index payments_processing on payments (wallet, substatus, created_at) where status = 'processing';
create index payments_by_destination on payments (destination, created_at, id) where status <> 'processing';
create index payments_by_reference on payments (reference, created_at, id) where status <> 'processing' and reference is not null;
create index payments_not_delivered on payments (status, created_at, id) where status in ('failed', 'expired', 'cancelled');

-- Everything that was ever signed. A plug (a no-op that fills a sequence) belongs to no payment.
create table attempts (
    wallet       text    not null,
    slot_kind    text    not null,
    slot         integer not null,
    hash         blob    not null,
    payment_id   text,
    n            integer not null,
    blob         blob    not null,
    fee_drops    integer not null,
    first_ledger integer not null,
    last_ledger  integer not null,
    signed_at    integer not null,
    open         integer not null,
    state_doc    text    not null,
    constraint attempts_pk primary key (wallet, slot_kind, slot, hash),
    constraint attempts_payment foreign key (payment_id) references payments (id),
    constraint attempts_slot_kind check (slot_kind in ('sequence', 'ticket')),
    constraint attempts_open check (open in (0, 1)),
    constraint attempts_hash check (length(hash) = 32)
) strict;

create unique index attempts_of_payment on attempts (payment_id, n) where payment_id is not null;
create index attempts_still_open on attempts (wallet, slot_kind, slot) where open = 1;

-- One row a wallet: whose account it is and how far its journal has been read.
create table wallets (
    name           text    not null,
    account        text    not null,
    network_id     integer not null,
    cursor_start   integer not null,
    cursor_at      integer not null,
    cursor_at_hash blob    not null,
    next_sequence  integer not null,
    balance_drops  integer not null,
    owner_count    integer not null,
    sign_from      integer,
    halted_reason  text,
    halted_at      integer,
    constraint wallets_pk primary key (name),
    constraint wallets_cursor check (cursor_start <= cursor_at + 1)
) strict;

-- The validated transactions that touched a wallet's account, without a gap up to its cursor.
create table journal_entries (
    wallet           text    not null,
    ledger_index     integer not null,
    tx_index         integer not null,
    hash             blob    not null,
    ledger_hash      blob    not null,
    result           text    not null,
    transaction_type text    not null,
    sender           text    not null,
    slot_kind        text    not null,
    slot             integer not null,
    fee_drops        integer not null,
    destination      text,
    destination_tag  integer,
    source_tag       integer,
    delivered_kind   text    not null,
    delivered_value  text,
    invoice_id       blob,
    root_balance     integer,
    root_sequence    integer,
    root_owner_count integer,
    constraint journal_entries_pk primary key (wallet, ledger_index, tx_index),
    constraint journal_entries_delivered check (delivered_kind in ('nothing', 'xrp', 'other', 'unavailable'))
) strict;

-- The outbox: what is told to the outside, written with the change that it tells of.
create table events (
    sequence   integer primary key autoincrement,
    payment_id text    not null,
    client     text    not null,
    version    integer not null,
    type       text    not null,
    at         integer not null,
    data       text    not null
) strict;

create index events_of_payment on events (payment_id, sequence);

-- What is used of the limits. used_drops is the sum of counted_drops over the payments accepted
-- after counted_through; pending is the number of payments on their way.
create table limit_state (
    scope           text    not null,
    used_drops      integer not null,
    pending         integer not null,
    counted_through integer not null,
    constraint limit_state_pk primary key (scope),
    constraint limit_state_used check (used_drops >= 0),
    constraint limit_state_pending check (pending >= 0)
) strict;

insert into limit_state (scope, used_drops, pending, counted_through) values ('all', 0, 0, 0);

-- How many payments of a wallet have reached each end, so that nobody has to count the table.
create table payment_ends (
    wallet  text    not null,
    status  text    not null,
    reached integer not null,
    constraint payment_ends_pk primary key (wallet, status),
    constraint payment_ends_status check (status in ('succeeded', 'failed', 'expired', 'cancelled'))
) strict;

create table api_keys (
    id                text    not null,
    client            text    not null,
    secret_hash       blob    not null,
    scopes            text    not null,
    cidrs             text    not null,
    require_signature integer not null,
    created_at        integer not null,
    expires_at        integer,
    revoked_at        integer,
    constraint api_keys_pk primary key (id),
    constraint api_keys_secret_hash check (length(secret_hash) = 32)
) strict;

-- Written by the readiness check, which has to know that the database still takes writes.
create table heartbeat (
    scope text    not null,
    beats integer not null,
    constraint heartbeat_pk primary key (scope)
) strict;

insert into heartbeat (scope, beats) values ('all', 0);
