-- Webhooks: who wants to be told, what is on its way to them, and what came of each try.
-- Secrets are sealed; the key that opens them is never in the database.

create table webhook_endpoints (
    id                text collate "C" not null,
    client            text collate "C" not null,
    all_clients       bigint not null,
    url               text collate "C" not null,
    events            text collate "C" not null,
    description       text collate "C",
    status            text collate "C" not null,
    disabled_reason   text collate "C",
    disabled_at       bigint,
    secret            bytea not null,
    old_secret        bytea,
    old_secret_until  bigint,
    told_through      bigint not null,
    recover_after     bigint,
    recover_through   bigint,
    recover_since     bigint,
    recover_delivered bigint not null,
    failing_since     bigint,
    last_failure_at   bigint,
    last_success_at   bigint,
    resting_until     bigint,
    version           bigint not null,
    created_at        bigint not null,
    updated_at        bigint not null,
    constraint webhook_endpoints_pk primary key (id),
    constraint webhook_endpoints_status check (status in ('enabled', 'disabled', 'deleted')),
    constraint webhook_endpoints_disabled check ((status = 'disabled') = (disabled_reason is not null)),
    constraint webhook_endpoints_reason check (disabled_reason in ('requested', 'gone', 'failing')),
    constraint webhook_endpoints_recovery check ((recover_after is null) = (recover_through is null)),
    constraint webhook_endpoints_flags check (all_clients in (0, 1) and recover_delivered in (0, 1))
);

create index webhook_endpoints_of_client on webhook_endpoints (client, id);

-- An event as it is sent: the same bytes to every endpoint and at every try, for as long as a delivery
-- of it is remembered, whatever becomes of the feed meanwhile.
create table webhook_messages (
    id   text collate "C" not null,
    type text collate "C" not null,
    at   bigint not null,
    body text collate "C" not null,
    constraint webhook_messages_pk primary key (id)
);

-- A message on its way to one endpoint. next_at is when it is tried next or, while claimed_by tries it,
-- when that claim ends by itself. round_from is how many tries came before the schedule began anew.
create table webhook_deliveries (
    id          text collate "C" not null,
    endpoint_id text collate "C" not null,
    message_id  text collate "C" not null,
    event_at    bigint not null,
    state       text collate "C" not null,
    attempts    bigint not null,
    round_from  bigint not null,
    next_at     bigint,
    claimed_by  text collate "C",
    created_at  bigint not null,
    updated_at  bigint not null,
    constraint webhook_deliveries_pk primary key (id),
    constraint webhook_deliveries_once unique (message_id, endpoint_id),
    constraint webhook_deliveries_endpoint foreign key (endpoint_id) references webhook_endpoints (id),
    constraint webhook_deliveries_message foreign key (message_id) references webhook_messages (id),
    constraint webhook_deliveries_state check (state in ('pending', 'delivered', 'failed')),
    constraint webhook_deliveries_next check ((state = 'pending') = (next_at is not null)),
    constraint webhook_deliveries_claim check (claimed_by is null or state = 'pending')
);

create index webhook_deliveries_of_endpoint on webhook_deliveries (endpoint_id, state, id);
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, next_at, id) where next_at is not null;
create index webhook_deliveries_oldest on webhook_deliveries (endpoint_id, event_at) where next_at is not null;
create index webhook_deliveries_claimed on webhook_deliveries (claimed_by) where claimed_by is not null;

-- Every try.
create table webhook_attempts (
    delivery_id text collate "C" not null,
    n           bigint not null,
    at          bigint not null,
    duration_ms bigint not null,
    outcome     text collate "C" not null,
    status      bigint,
    error       text collate "C",
    excerpt     text collate "C" not null,
    constraint webhook_attempts_pk primary key (delivery_id, n),
    constraint webhook_attempts_delivery foreign key (delivery_id) references webhook_deliveries (id)
);
