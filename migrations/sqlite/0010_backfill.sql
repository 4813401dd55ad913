-- The past of a wallet whose journal was told to begin with an older ledger than the one it was first
-- seen at: how far it has been read, and where it has to arrive. Its transactions stand among the
-- journal's entries from the beginning; the wallet's journal begins with them once all have been read.
create table backfills (
    wallet           text    not null,
    start_ledger     integer not null,
    -- The last ledger that was read, and what the account has there.
    at_ledger        integer not null,
    standing         text    not null,
    balance_drops    integer,
    sequence         integer,
    owner_count      integer,
    -- The balance before the first ledger; null while nothing told it.
    opening_drops    integer,
    entries          integer not null,
    -- The ledger right before the journal as it first was, and what the account has there.
    goal_ledger      integer not null,
    goal_hash        blob    not null,
    goal_balance     integer not null,
    goal_sequence    integer not null,
    goal_owner_count integer not null,
    finished         integer not null default 0,
    constraint backfills_pk primary key (wallet),
    constraint backfills_standing check (standing in ('untold', 'absent', 'has')),
    constraint backfills_root check ((standing = 'has') = (balance_drops is not null)),
    constraint backfills_range check (start_ledger <= at_ledger + 1 and at_ledger <= goal_ledger),
    constraint backfills_finished check (finished in (0, 1))
) strict;
