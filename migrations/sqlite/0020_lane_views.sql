-- What the holder of each wallet shows of it, for the replicas that do not hold it. The time is the
-- database's own clock, in Unix milliseconds.

create table lane_views (
    wallet     text not null,
    -- The taking of the wallet's lease under which it was written.
    epoch      integer not null,
    view       text not null,
    written_at integer not null,
    constraint lane_views_pk primary key (wallet)
) strict;
