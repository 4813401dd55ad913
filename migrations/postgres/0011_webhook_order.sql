-- Which object a delivery tells of: two of one object are not on their way to an endpoint side by side,
-- so that a receiver which takes everything hears of an object in order. What was laid out before names
-- none, and waits for nobody.

alter table webhook_deliveries add column object_id text collate "C" not null default '';

create index webhook_deliveries_busy on webhook_deliveries (endpoint_id, object_id) where claimed_by is not null;
