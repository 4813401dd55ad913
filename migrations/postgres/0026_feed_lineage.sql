-- The history of the database in which the last sequence of the feed was drawn. Null until the next one is
-- drawn; from then on another history means that sequences which were told may be gone, and the next ones
-- are drawn from further on.
alter table feed add column lineage text collate "C";
