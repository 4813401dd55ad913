-- What people said of the items of the checklist that no program can answer.

-- The newest word on an item counts; older ones are kept, because who said what when may matter later.
create table sign_offs (
    item      text collate "C" not null,
    at        bigint not null,
    signed_by text collate "C" not null,
    note      text collate "C",
    -- The word holds before this time.
    until     bigint not null,
    -- The user of the machine who wrote it down.
    actor     text collate "C" not null,
    constraint sign_offs_pk primary key (item, at),
    constraint sign_offs_until check (until >= at)
);
