-- Money that is asked for, and how much of it came.

create table invoices (
    id              text    not null,
    client          text    not null,
    idempotency_key text,
    fingerprint     blob    not null,
    version         integer not null,
    wallet          text    not null,
    account         text    not null,
    destination_tag integer not null,
    -- 1 for the one invoice of a wallet that credits to this tag are for.
    tag_held        integer not null,
    issued_after    integer,
    -- What both amounts are of, and how much, as the asset's own decimal text.
    asset           text    not null,
    amount          text    not null,
    received        text    not null,
    tolerance_bps   integer not null,
    status          text    not null,
    overpaid        integer not null,
    paid_late       integer not null,
    reference       text,
    metadata        text    not null,
    created_at      integer not null,
    updated_at      integer not null,
    expires_at      integer not null,
    ended_at        integer,
    constraint invoices_pk primary key (id),
    constraint invoices_idempotency unique (client, idempotency_key),
    constraint invoices_status check (status in ('open', 'partially_paid', 'paid', 'expired', 'cancelled')),
    constraint invoices_tag check (destination_tag between 1 and 4294967295),
    constraint invoices_tag_held check (tag_held in (0, 1)),
    constraint invoices_waiting_holds_its_tag check (tag_held = 1 or ended_at is not null),
    constraint invoices_tolerance check (tolerance_bps between 0 and 9999),
    constraint invoices_flags check (overpaid in (0, 1) and paid_late in (0, 1)),
    constraint invoices_end check ((ended_at is null) = (status in ('open', 'partially_paid')))
) strict;

create unique index invoices_held_tag on invoices (wallet, destination_tag) where tag_held = 1;
create index invoices_waiting on invoices (wallet, expires_at) where ended_at is null;
create index invoices_by_client on invoices (client, status, created_at, id);
create index invoices_by_status on invoices (status, created_at, id);
create index invoices_by_reference on invoices (reference, created_at, id) where reference is not null;
