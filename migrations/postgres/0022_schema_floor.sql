-- The oldest program that may use this database, by the number of the newest migration that it knows.
-- A migration that only adds leaves it; one that takes away what older programs use, or adds what they
-- break, raises it. So programs of two versions can share a database while one replaces the other.

create table schema_floor (
    scope   text collate "C" not null,
    program bigint not null,
    constraint schema_floor_pk primary key (scope),
    constraint schema_floor_scope check (scope = 'all'),
    constraint schema_floor_program check (program >= 22)
);

insert into schema_floor (scope, program) values ('all', 22);
