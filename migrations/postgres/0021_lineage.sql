-- The history of the database in which a wallet was last worked on: the server's system, the database and
-- the timeline. Null until an engine has said so; then another one means that what was committed last may
-- be gone.
alter table leases add column lineage text collate "C";
