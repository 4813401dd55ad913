-- The outbox tells of more than payments: each event names the object that it is about.
-- Sequences no longer come from the table but from the feed's counter, which is written in the
-- transaction of the events themselves: their order is the order of the commits.

alter table events rename column payment_id to object_id;
alter table events
    add column object text collate "C" not null default 'payment',
    alter column sequence drop identity;
alter table events alter column object drop default;
alter index events_of_payment rename to events_of_object;

-- Two marks of the feed: the last sequence that was drawn, and the last that is no longer handed out.
create table feed (
    mark     text collate "C" not null,
    sequence bigint not null,
    constraint feed_pk primary key (mark),
    constraint feed_mark check (mark in ('drawn', 'expired')),
    constraint feed_sequence check (sequence >= 0)
);

insert into feed (mark, sequence) select 'drawn', coalesce(max(sequence), 0) from events;
insert into feed (mark, sequence) values ('expired', 0);
