-- Copies of this database that were taken and looked at. They tell of the database and not of the books:
-- what comes by a move brings none of them along.

create table backups (
    id          text    not null,
    -- How it was taken: sqlite, pg_dump, pgbackrest, or a word of the operator's.
    kind        text    not null,
    -- Where it lies, by the operator's word.
    place       text    not null,
    -- The moment that it shows, and the one at which it was complete.
    taken_at    integer not null,
    ended_at    integer not null,
    -- When it was last found whole; null where nobody has looked.
    verified_at integer,
    -- Of the file as it lies there; null where it is no single file.
    bytes       integer,
    sha256      blob,
    actor       text    not null,
    constraint backups_pk primary key (id),
    constraint backups_order check (ended_at >= taken_at),
    constraint backups_file check ((bytes is null) = (sha256 is null)),
    constraint backups_sha256 check (sha256 is null or length(sha256) = 32)
) strict;

-- The newest that is good is asked for every second.
create index backups_good on backups (taken_at) where verified_at is not null;
