-- Whose a database is: the profile and the network of its first start, so that a rehearsal's is never
-- taken for production's. An older database gets its row at the next start.

create table home (
    mark       text collate "C" not null,
    profile    text collate "C" not null,
    network_id bigint not null,
    since      bigint not null,
    constraint home_pk primary key (mark),
    constraint home_mark check (mark = 'home')
);
