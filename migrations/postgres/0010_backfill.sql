-- The past of a wallet whose journal was told to begin with an older ledger than the one it was first
-- seen at: how far it has been read, and where it has to arrive. Its transactions stand among the
-- journal's entries from the beginning; the wallet's journal begins with them once all have been read.
create table backfills (
    wallet           text collate "C" not null,
    start_ledger     bigint not null,
    -- The last ledger that was read, and what the account has there.
    at_ledger        bigint not null,
    standing         text collate "C" not null,
    balance_drops    bigint,
    sequence         bigint,
    owner_count      bigint,
    -- The balance before the first ledger; null while nothing told it.
    opening_drops    bigint,
    entries          bigint not null,
    -- The ledger right before the journal as it first was, and what the account has there.
    goal_ledger      bigint not null,
    goal_hash        bytea  not null,
    goal_balance     bigint not null,
    goal_sequence    bigint not null,
    goal_owner_count bigint not null,
    finished         bigint not null default 0,
    constraint backfills_pk primary key (wallet),
    constraint backfills_standing check (standing in ('untold', 'absent', 'has')),
    constraint backfills_root check ((standing = 'has') = (balance_drops is not null)),
    constraint backfills_range check (start_ledger <= at_ledger + 1 and at_ledger <= goal_ledger),
    constraint backfills_finished check (finished in (0, 1))
);
