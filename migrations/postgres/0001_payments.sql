-- What we were asked, what we signed, what the ledger said, and what was told about it.
-- Times are milliseconds since the epoch, money is whole drops, hashes are 32 bytes.

create table payments (
    id              text collate "C" not null,
    client          text collate "C" not null,
    idempotency_key text collate "C" not null,
    fingerprint     bytea not null,
    wallet          text collate "C" not null,
    status          text collate "C" not null,
    substatus       text collate "C",
    phase           text collate "C" not null,
    version         bigint not null,
    destination     text collate "C" not null,
    amount_drops    bigint not null,
    counted_drops   bigint not null,
    reference       text collate "C",
    stage           text collate "C" not null,
    created_at      bigint not null,
    updated_at      bigint not null,
    expires_at      bigint,
    order_doc       text collate "C" not null,
    state_doc       text collate "C" not null,
    constraint payments_pk primary key (id),
    constraint payments_idempotency unique (client, idempotency_key),
    constraint payments_status check (status in ('processing', 'succeeded', 'failed', 'expired', 'cancelled')),
    constraint payments_phase check (phase in ('queued', 'in_flight', 'final')),
    constraint payments_phase_of_status check ((phase = 'final') = (status <> 'processing')),
    constraint payments_amount check (amount_drops between 1 and 100000000000000000),
    constraint payments_counted check (counted_drops >= 0)
);

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
    wallet       text collate "C" not null,
    slot_kind    text collate "C" not null,
    slot         bigint not null,
    hash         bytea not null,
    payment_id   text collate "C",
    n            bigint not null,
    blob         bytea not null,
    fee_drops    bigint not null,
    first_ledger bigint not null,
    last_ledger  bigint not null,
    signed_at    bigint not null,
    open         bigint not null,
    state_doc    text collate "C" not null,
    constraint attempts_pk primary key (wallet, slot_kind, slot, hash),
    constraint attempts_payment foreign key (payment_id) references payments (id),
    constraint attempts_slot_kind check (slot_kind in ('sequence', 'ticket')),
    constraint attempts_open check (open in (0, 1)),
    constraint attempts_hash check (length(hash) = 32)
);

create unique index attempts_of_payment on attempts (payment_id, n) where payment_id is not null;
create index attempts_still_open on attempts (wallet, slot_kind, slot) where open = 1;

-- One row a wallet: whose account it is and how far its journal has been read.
create table wallets (
    name           text collate "C" not null,
    account        text collate "C" not null,
    network_id     bigint not null,
    cursor_start   bigint not null,
    cursor_at      bigint not null,
    cursor_at_hash bytea not null,
    next_sequence  bigint not null,
    balance_drops  bigint not null,
    owner_count    bigint not null,
    sign_from      bigint,
    halted_reason  text collate "C",
    halted_at      bigint,
    constraint wallets_pk primary key (name),
    constraint wallets_cursor check (cursor_start <= cursor_at + 1)
);

-- The validated transactions that touched a wallet's account, without a gap up to its cursor.
create table journal_entries (
    wallet           text collate "C" not null,
    ledger_index     bigint not null,
    tx_index         bigint not null,
    hash             bytea not null,
    ledger_hash      bytea not null,
    result           text collate "C" not null,
    transaction_type text collate "C" not null,
    sender           text collate "C" not null,
    slot_kind        text collate "C" not null,
    slot             bigint not null,
    fee_drops        bigint not null,
    destination      text collate "C",
    destination_tag  bigint,
    source_tag       bigint,
    delivered_kind   text collate "C" not null,
    delivered_value  text collate "C",
    invoice_id       bytea,
    root_balance     bigint,
    root_sequence    bigint,
    root_owner_count bigint,
    constraint journal_entries_pk primary key (wallet, ledger_index, tx_index),
    constraint journal_entries_delivered check (delivered_kind in ('nothing', 'xrp', 'other', 'unavailable'))
);

-- The outbox: what is told to the outside, written with the change that it tells of.
create table events (
    sequence   bigint generated always as identity primary key,
    payment_id text collate "C" not null,
    client     text collate "C" not null,
    version    bigint not null,
    type       text collate "C" not null,
    at         bigint not null,
    data       text collate "C" not null
);

create index events_of_payment on events (payment_id, sequence);

-- What is used of the limits. used_drops is the sum of counted_drops over the payments accepted
-- after counted_through; pending is the number of payments on their way.
create table limit_state (
    scope           text collate "C" not null,
    used_drops      bigint not null,
    pending         bigint not null,
    counted_through bigint not null,
    constraint limit_state_pk primary key (scope),
    constraint limit_state_used check (used_drops >= 0),
    constraint limit_state_pending check (pending >= 0)
);

insert into limit_state (scope, used_drops, pending, counted_through) values ('all', 0, 0, 0);

-- How many payments of a wallet have reached each end, so that nobody has to count the table.
create table payment_ends (
    wallet  text collate "C" not null,
    status  text collate "C" not null,
    reached bigint not null,
    constraint payment_ends_pk primary key (wallet, status),
    constraint payment_ends_status check (status in ('succeeded', 'failed', 'expired', 'cancelled'))
);

create table api_keys (
    id                text collate "C" not null,
    client            text collate "C" not null,
    secret_hash       bytea not null,
    scopes            text collate "C" not null,
    cidrs             text collate "C" not null,
    require_signature bigint not null,
    created_at        bigint not null,
    expires_at        bigint,
    revoked_at        bigint,
    constraint api_keys_pk primary key (id),
    constraint api_keys_secret_hash check (length(secret_hash) = 32)
);

-- Written by the readiness check, which has to know that the database still takes writes.
create table heartbeat (
    scope text collate "C" not null,
    beats bigint not null,
    constraint heartbeat_pk primary key (scope)
);

insert into heartbeat (scope, beats) values ('all', 0);
