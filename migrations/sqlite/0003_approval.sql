-- Payments that wait for the word of a second person, and those that it refused.
-- SQLite changes no constraint in place: the tables are written anew, what refers to them with them.

create table payments_new (
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
    approval_doc    text,
    approve_by      integer,
    constraint payments_pk primary key (id),
    constraint payments_idempotency unique (client, idempotency_key),
    constraint payments_status check (status in ('awaiting_approval', 'processing', 'succeeded', 'failed', 'expired', 'cancelled', 'rejected')),
    constraint payments_phase check (phase in ('awaiting', 'queued', 'in_flight', 'final')),
    constraint payments_phase_of_status check (
        (phase = 'awaiting') = (status = 'awaiting_approval')
        and (phase in ('queued', 'in_flight')) = (status = 'processing')
    ),
    constraint payments_amount check (amount_drops between 1 and 100000000000000000),
    constraint payments_counted check (counted_drops >= 0),
    constraint payments_approval check ((approval_doc is null) = (approve_by is null))
) strict;

insert into payments_new (
    id, client, idempotency_key, fingerprint, wallet, status, substatus, phase, version,
    destination, amount_drops, counted_drops, reference, stage, created_at, updated_at,
    expires_at, order_doc, state_doc
) select
    id, client, idempotency_key, fingerprint, wallet, status, substatus, phase, version,
    destination, amount_drops, counted_drops, reference, stage, created_at, updated_at,
    expires_at, order_doc, state_doc
from payments;

create table attempts_new (
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
    constraint attempts_payment foreign key (payment_id) references payments_new (id),
    constraint attempts_slot_kind check (slot_kind in ('sequence', 'ticket')),
    constraint attempts_open check (open in (0, 1)),
    constraint attempts_hash check (length(hash) = 32)
) strict;

insert into attempts_new (
    wallet, slot_kind, slot, hash, payment_id, n, blob, fee_drops, first_ledger, last_ledger,
    signed_at, open, state_doc
) select
    wallet, slot_kind, slot, hash, payment_id, n, blob, fee_drops, first_ledger, last_ledger,
    signed_at, open, state_doc
from attempts;

drop table attempts;
drop table payments;
alter table payments_new rename to payments;
alter table attempts_new rename to attempts;

create index payments_by_client on payments (client, status, created_at, id);
create index payments_by_time on payments (created_at, id);
create index payments_queued on payments (wallet, id) where phase = 'queued';
create index payments_expiring on payments (wallet, expires_at) where phase = 'queued' and expires_at is not null;
create index payments_processing on payments (wallet, substatus, created_at) where status = 'processing';
create index payments_by_destination on payments (destination, created_at, id) where status <> 'processing';
create index payments_by_reference on payments (reference, created_at, id) where status <> 'processing' and reference is not null;
create index payments_not_delivered on payments (status, created_at, id)
    where status in ('failed', 'expired', 'cancelled', 'rejected', 'awaiting_approval');
create index payments_awaiting on payments (wallet, approve_by) where phase = 'awaiting';

create unique index attempts_of_payment on attempts (payment_id, n) where payment_id is not null;
create index attempts_still_open on attempts (wallet, slot_kind, slot) where open = 1;

create table payment_ends_new (
    wallet  text    not null,
    status  text    not null,
    reached integer not null,
    constraint payment_ends_pk primary key (wallet, status),
    constraint payment_ends_status check (status in ('succeeded', 'failed', 'expired', 'cancelled', 'rejected'))
) strict;

insert into payment_ends_new (wallet, status, reached) select wallet, status, reached from payment_ends;
drop table payment_ends;
alter table payment_ends_new rename to payment_ends;
