-- Money that is asked for, and how much of it came.

create table invoices (
    id              text collate "C" not null,
    client          text collate "C" not null,
    idempotency_key text collate "C",
    fingerprint     bytea not null,
    version         bigint not null,
    wallet          text collate "C" not null,
    account         text collate "C" not null,
    destination_tag bigint not null,
    -- 1 for the one invoice of a wallet that credits to this tag are for.
    tag_held        bigint not null,
    issued_after    bigint,
    -- What both amounts are of, and how much, as the asset's own decimal text.
    asset           text collate "C" not null,
    amount          text collate "C" not null,
    received        text collate "C" not null,
    tolerance_bps   bigint not null,
    status          text collate "C" not null,
    overpaid        bigint not null,
    paid_late       bigint not null,
    reference       text collate "C",
    metadata        text collate "C" not null,
    created_at      bigint not null,
    updated_at      bigint not null,
    expires_at      bigint not null,
    ended_at        bigint,
    constraint invoices_pk primary key (id),
    constraint invoices_idempotency unique (client, idempotency_key),
    constraint invoices_status check (status in ('open', 'partially_paid', 'paid', 'expired', 'cancelled')),
    constraint invoices_tag check (destination_tag between 1 and 4294967295),
    constraint invoices_tag_held check (tag_held in (0, 1)),
    constraint invoices_waiting_holds_its_tag check (tag_held = 1 or ended_at is not null),
    constraint invoices_tolerance check (tolerance_bps between 0 and 9999),
    constraint invoices_flags check (overpaid in (0, 1) and paid_late in (0, 1)),
    constraint invoices_end check ((ended_at is null) = (status in ('open', 'partially_paid')))
);

create unique index invoices_held_tag on invoices (wallet, destination_tag) where tag_held = 1;
create index invoices_waiting on invoices (wallet, expires_at) where ended_at is null;
create index invoices_by_client on invoices (client, status, created_at, id);
create index invoices_by_status on invoices (status, created_at, id);
create index invoices_by_reference on invoices (reference, created_at, id) where reference is not null;
