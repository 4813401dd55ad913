-- The history of the database in which a wallet was last worked on. Null until an engine has said so; a
-- file has one history, and what it forgets is told by what the machine wrote down beside it.
alter table leases add column lineage text;
