-- What people said of the items of the checklist that no program can answer.

-- The newest word on an item counts; older ones are kept, because who said what when may matter later.
create table sign_offs (
    item      text not null,
    at        integer not null,
    signed_by text not null,
    note      text,
    -- The word holds before this time.
    until     integer not null,
    -- The user of the machine who wrote it down.
    actor     text not null,
    constraint sign_offs_pk primary key (item, at),
    constraint sign_offs_until check (until >= at)
) strict;
