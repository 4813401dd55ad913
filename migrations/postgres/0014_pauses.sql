-- What operators have paused: a row a scope that was ever paused, kept when it is resumed.

create table pauses (
    scope    text collate "C" not null,
    in_force bigint not null,
    -- Of the last change: why, by whom, when, and how many there were.
    reason   text collate "C",
    actor    text collate "C",
    at       bigint,
    version  bigint not null,
    constraint pauses_pk primary key (scope),
    constraint pauses_scope check (scope in ('all', 'payments') or scope like 'wallet:_%'),
    constraint pauses_in_force check (in_force in (0, 1)),
    constraint pauses_changed check ((version = 0) = (at is null)),
    constraint pauses_version check (version >= 0)
);

-- Its absence tells that the table was lost, which counts as a pause.
insert into pauses (scope, in_force, version) values ('all', 0, 0);
