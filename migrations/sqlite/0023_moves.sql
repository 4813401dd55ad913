-- Copies of the books from one database to another, and which of the two they are kept in.

-- One row at either end, under one id. No daemon uses the end that they go to before its row is done, nor
-- the end that they come from once it has a row; that end has triggers besides, which refuse every write.
create table moves (
    id      text not null,
    -- The books go to the other end, or come from it.
    side    text not null,
    -- Open while rows are on their way, filled once all have come, done once the other end knows too.
    state   text not null,
    -- The other end, without its password.
    other   text not null,
    at      integer not null,
    done_at integer,
    -- When a daemon first started on books that came.
    used_at integer,
    constraint moves_pk primary key (id, side),
    constraint moves_side check (side in ('to', 'from')),
    constraint moves_state check (state in ('open', 'filled', 'done')),
    constraint moves_done check ((state = 'done') = (done_at is not null)),
    constraint moves_used check (used_at is null or (side = 'from' and state = 'done'))
) strict;

create unique index moves_going on moves (side) where side = 'to';
