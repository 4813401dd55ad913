-- What the holder of each wallet shows of it, for the replicas that do not hold it. The time is the
-- database's own clock, in Unix milliseconds.

create table lane_views (
    wallet     text collate "C" not null,
    -- The taking of the wallet's lease under which it was written.
    epoch      bigint not null,
    view       text not null,
    written_at bigint not null,
    constraint lane_views_pk primary key (wallet)
);
