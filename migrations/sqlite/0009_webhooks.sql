-- Webhooks: who wants to be told, what is on its way to them, and what came of each try.
-- Secrets are sealed; the key that opens them is never in the database.

create table webhook_endpoints (
    id                text not null,
    client            text not null,
    all_clients       integer not null,
    url               text not null,
    events            text not null,
    description       text,
    status            text not null,
    disabled_reason   text,
    disabled_at       integer,
    secret            blob not null,
    old_secret        blob,
    old_secret_until  integer,
    told_through      integer not null,
    recover_after     integer,
    recover_through   integer,
    recover_since     integer,
    recover_delivered integer not null,
    failing_since     integer,
    last_failure_at   integer,
    last_success_at   integer,
    resting_until     integer,
    version           integer not null,
    created_at        integer not null,
    updated_at        integer not null,
    constraint webhook_endpoints_pk primary key (id),
    constraint webhook_endpoints_status check (status in ('enabled', 'disabled', 'deleted')),
    constraint webhook_endpoints_disabled check ((status = 'disabled') = (disabled_reason is not null)),
    constraint webhook_endpoints_reason check (disabled_reason in ('requested', 'gone', 'failing')),
    constraint webhook_endpoints_recovery check ((recover_after is null) = (recover_through is null)),
    constraint webhook_endpoints_flags check (all_clients in (0, 1) and recover_delivered in (0, 1))
) strict;

create index webhook_endpoints_of_client on webhook_endpoints (client, id);

-- An event as it is sent: the same bytes to every endpoint and at every try, for as long as a delivery
-- of it is remembered, whatever becomes of the feed meanwhile.
create table webhook_messages (
    id   text not null,
    type text not null,
    at   integer not null,
    body text not null,
    constraint webhook_messages_pk primary key (id)
) strict;

-- A message on its way to one endpoint. next_at is when it is tried next or, while claimed_by tries it,
-- when that claim ends by itself. round_from is how many tries came before the schedule began anew.
create table webhook_deliveries (
    id          text not null,
    endpoint_id text not null,
    message_id  text not null,
    event_at    integer not null,
    state       text not null,
    attempts    integer not null,
    round_from  integer not null,
    next_at     integer,
    claimed_by  text,
    created_at  integer not null,
    updated_at  integer not null,
    constraint webhook_deliveries_pk primary key (id),
    constraint webhook_deliveries_once unique (message_id, endpoint_id),
    constraint webhook_deliveries_endpoint foreign key (endpoint_id) references webhook_endpoints (id),
    constraint webhook_deliveries_message foreign key (message_id) references webhook_messages (id),
    constraint webhook_deliveries_state check (state in ('pending', 'delivered', 'failed')),
    constraint webhook_deliveries_next check ((state = 'pending') = (next_at is not null)),
    constraint webhook_deliveries_claim check (claimed_by is null or state = 'pending')
) strict;

create index webhook_deliveries_of_endpoint on webhook_deliveries (endpoint_id, state, id);
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, next_at, id) where next_at is not null;
create index webhook_deliveries_oldest on webhook_deliveries (endpoint_id, event_at) where next_at is not null;
create index webhook_deliveries_claimed on webhook_deliveries (claimed_by) where claimed_by is not null;

-- Every try.
create table webhook_attempts (
    delivery_id text not null,
    n           integer not null,
    at          integer not null,
    duration_ms integer not null,
    outcome     text not null,
    status      integer,
    error       text,
    excerpt     text not null,
    constraint webhook_attempts_pk primary key (delivery_id, n),
    constraint webhook_attempts_delivery foreign key (delivery_id) references webhook_deliveries (id)
) strict;
