-- Whose a database is: the profile and the network of its first start, so that a rehearsal's is never
-- taken for production's. An older database gets its row at the next start.

create table home (
    mark       text not null,
    profile    text not null,
    network_id integer not null,
    since      integer not null,
    constraint home_pk primary key (mark),
    constraint home_mark check (mark = 'home')
) strict;
