-- What a word was said about, where its item is about something that may change: of the wallets' addresses,
-- a line `name address` each. A word of before this was kept names nothing, and holds for none of them.
alter table sign_offs add column about text;
