-- Limits of one client and of one destination.

-- Besides `all` there is a row for each client and destination that a limit of its own was asked for:
-- `client:<name>`, `destination:<address>`. Such a row can be made again from the payments at any time.

-- How many of these rows there are; of the row `all` alone.
alter table limit_state add column others bigint not null default 0;
-- When a limit of the row was last asked for; a row that is no longer asked for is deleted.
alter table limit_state add column asked_at bigint not null default 0;

create index limit_state_by_age on limit_state (asked_at) where scope <> 'all';
