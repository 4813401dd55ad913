-- Who may write a wallet: one row a wallet, with an epoch that grows with every taking. Every time here
-- is the database's own clock, in Unix milliseconds.

create table leases (
    wallet     text not null,
    -- The replica that holds it; empty where nobody does.
    holder     text not null default '',
    epoch      integer not null default 0,
    -- How long the holder may be silent.
    ttl_ms     integer not null default 0,
    expires_at integer not null default 0,
    taken_at   integer not null default 0,
    constraint leases_pk primary key (wallet)
) strict;

-- Every taking there ever was, for whoever audits: under which epoch which replica wrote.
create table lease_log (
    wallet   text not null,
    epoch    integer not null,
    holder   text not null,
    taken_at integer not null,
    -- Null while it lasts.
    ended_at integer,
    ended_as text,
    constraint lease_log_pk primary key (wallet, epoch),
    constraint lease_log_ended_as check (ended_as in ('released', 'expired', 'taken_over'))
) strict;

-- The processes that serve this database.
create table replicas (
    id          text not null,
    name        text not null,
    version     text not null,
    started_at  integer not null,
    seen_at     integer not null,
    is_draining integer not null default 0,
    constraint replicas_pk primary key (id)
) strict;

-- The epoch under which an attempt was signed; null for those from before there were leases.
alter table attempts add column epoch integer;
