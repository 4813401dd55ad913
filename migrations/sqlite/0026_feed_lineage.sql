-- The history of the database in which the last sequence of the feed was drawn. A file has one history; the
-- column is there because the statements are the same on both stores.
alter table feed add column lineage text;
