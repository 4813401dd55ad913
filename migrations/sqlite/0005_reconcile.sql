-- What books and ledger are held against each other by, to the drop.

-- The account's balance right before the journal's first ledger. Null where the journal began before
-- this was kept: the ledger is asked then.
alter table wallets add column opening_drops integer;
-- Transactions of the account that were not signed here are accepted up to this ledger: a person has
-- seen them and resumed the wallet.
alter table wallets add column foreign_accepted integer;

-- What a transaction moved the account's balance by. Null for the first that moved it, where the
-- opening balance was not kept.
alter table journal_entries add column change_drops integer;
update journal_entries set change_drops = 0 where root_balance is null;
update journal_entries set change_drops = v.change_drops
from (
    select wallet, ledger_index, tx_index,
        root_balance - lag(root_balance) over (partition by wallet order by ledger_index, tx_index) as change_drops
    from journal_entries where root_balance is not null
) v
where journal_entries.wallet = v.wallet and journal_entries.ledger_index = v.ledger_index
    and journal_entries.tx_index = v.tx_index;
