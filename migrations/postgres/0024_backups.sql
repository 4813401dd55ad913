-- Copies of this database that were taken and looked at. They tell of the database and not of the books:
-- what comes by a move brings none of them along.

create table backups (
    id          text collate "C" not null,
    -- How it was taken: sqlite, pg_dump, pgbackrest, or a word of the operator's.
    kind        text collate "C" not null,
    -- Where it lies, by the operator's word.
    place       text collate "C" not null,
    -- The moment that it shows, and the one at which it was complete.
    taken_at    bigint  not null,
    ended_at    bigint  not null,
    -- When it was last found whole; null where nobody has looked.
    verified_at bigint,
    -- Of the file as it lies there; null where it is no single file.
    bytes       bigint,
    sha256      bytea,
    actor       text collate "C" not null,
    constraint backups_pk primary key (id),
    constraint backups_order check (ended_at >= taken_at),
    constraint backups_file check ((bytes is null) = (sha256 is null)),
    constraint backups_sha256 check (sha256 is null or length(sha256) = 32)
);

-- The newest that is good is asked for every second.
create index backups_good on backups (taken_at) where verified_at is not null;
