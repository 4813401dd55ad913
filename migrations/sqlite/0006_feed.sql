-- The outbox tells of more than payments: each event names the object that it is about.
-- Sequences no longer come from the table but from the feed's counter, which is written in the
-- transaction of the events themselves: their order is the order of the commits.

create table events_new (
    sequence  integer primary key,
    object    text    not null,
    object_id text    not null,
    client    text    not null,
    version   integer not null,
    type      text    not null,
    at        integer not null,
    data      text    not null
) strict;

insert into events_new (sequence, object, object_id, client, version, type, at, data)
select sequence, 'payment', payment_id, client, version, type, at, data from events order by sequence;
drop table events;
alter table events_new rename to events;
create index events_of_object on events (object_id, sequence);

-- Two marks of the feed: the last sequence that was drawn, and the last that is no longer handed out.
create table feed (
    mark     text    not null,
    sequence integer not null,
    constraint feed_pk primary key (mark),
    constraint feed_mark check (mark in ('drawn', 'expired')),
    constraint feed_sequence check (sequence >= 0)
) strict;

insert into feed (mark, sequence) select 'drawn', coalesce(max(sequence), 0) from events;
insert into feed (mark, sequence) values ('expired', 0);
