-- What each replica's configuration says of limits: what all of them go by is the strictest of it.

create table limit_words (
    -- The process, as it is called in `replicas`; its word counts while it stands there.
    replica text not null,
    told_at integer not null,
    -- As JSON.
    word    text not null,
    constraint limit_words_pk primary key (replica)
) strict;

-- Grows by one with every change of a word, under the lock that every accept takes: an accept that was
-- placed by other words is placed again. It stands in the row of all payments.
alter table limit_state add column words integer not null default 0;
