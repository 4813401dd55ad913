-- Keys that are rotated, limited one by one and known to be in use; what the rate limits and the
-- signatures remember over a restart.

alter table api_keys add column previous_hash bytea
    constraint api_keys_previous_hash check (length(previous_hash) = 32);
alter table api_keys add column previous_until bigint
    constraint api_keys_previous check ((previous_hash is null) = (previous_until is null));
alter table api_keys add column rotated_at bigint;
alter table api_keys add column last_used_at bigint;
-- The key's own limits; the configuration's hold where there is none.
alter table api_keys add column per_minute bigint;
alter table api_keys add column per_hour bigint;
alter table api_keys add column reads_per_minute bigint;

-- The scope admin contained all others. Keys of that time go on being able to do what they could.
update api_keys
set scopes = '["admin","invoices:read","invoices:write","payments:approve","payments:read","payments:write","webhooks:write"]'
where scopes like '%"admin"%';

-- The writes of keys by the minute since the epoch, for an hour.
create table key_counts (
    key_id text collate "C" not null,
    minute bigint not null,
    count  bigint not null,
    constraint key_counts_pk primary key (key_id, minute)
);
create index key_counts_by_minute on key_counts (minute);

-- Signatures of requests, each good once, for as long as somebody might believe them.
create table used_signatures (
    tag            bytea   not null,
    believed_until bigint not null,
    constraint used_signatures_pk primary key (tag)
);
create index used_signatures_by_end on used_signatures (believed_until);
