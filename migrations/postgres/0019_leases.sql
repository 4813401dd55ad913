-- Who may write a wallet: one row a wallet, with an epoch that grows with every taking. Every time here
-- is the database's own clock, in Unix milliseconds.

create table leases (
    wallet     text collate "C" not null,
    -- The replica that holds it; empty where nobody does.
    holder     text collate "C" not null default '',
    epoch      bigint not null default 0,
    -- How long the holder may be silent.
    ttl_ms     bigint not null default 0,
    expires_at bigint not null default 0,
    taken_at   bigint not null default 0,
    constraint leases_pk primary key (wallet)
);

-- Every taking there ever was, for whoever audits: under which epoch which replica wrote.
create table lease_log (
    wallet   text collate "C" not null,
    epoch    bigint not null,
    holder   text collate "C" not null,
    taken_at bigint not null,
    -- Null while it lasts.
    ended_at bigint,
    ended_as text collate "C",
    constraint lease_log_pk primary key (wallet, epoch),
    constraint lease_log_ended_as check (ended_as in ('released', 'expired', 'taken_over'))
);

-- The processes that serve this database.
create table replicas (
    id          text collate "C" not null,
    name        text collate "C" not null,
    version     text collate "C" not null,
    started_at  bigint not null,
    seen_at     bigint not null,
    is_draining bigint not null default 0,
    constraint replicas_pk primary key (id)
);

-- The epoch under which an attempt was signed; null for those from before there were leases.
alter table attempts add column epoch bigint;
