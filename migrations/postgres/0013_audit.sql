-- The audit log: who changed what may be done with money, each entry chained to the one before it.
-- Nothing of it is ever changed or deleted; the database itself refuses to, and whoever takes that
-- refusal away, or goes past it, is found by the chain.

create table audit_log (
    sequence     bigint not null,
    at           bigint not null,
    -- A key with its client, an operator's command with its user, or the daemon itself.
    actor        text collate "C" not null,
    actor_id     text collate "C",
    actor_client text collate "C",
    action       text collate "C" not null,
    object       text collate "C" not null,
    -- What was before and after, as JSON; hashed as it is written here.
    data         text collate "C" not null,
    prev_hash    bytea not null,
    hash         bytea not null,
    constraint audit_log_pk primary key (sequence),
    constraint audit_log_sequence check (sequence > 0),
    constraint audit_log_hashes check (length(prev_hash) = 32 and length(hash) = 32)
);

create index audit_log_actions on audit_log (action, sequence);

-- The last entry. Its row is locked by whoever writes the next one, until that is committed.
create table audit_head (
    mark     text collate "C" not null,
    sequence bigint not null,
    hash     bytea not null,
    constraint audit_head_pk primary key (mark),
    constraint audit_head_mark check (mark = 'head'),
    constraint audit_head_hash check (length(hash) = 32)
);

-- What the first entry names as the one before it: the SHA-256 of xrpayd.audit.v1.
insert into audit_head (mark, sequence, hash)
values ('head', 0, '\xa031839d92baf89bca9b3deff4bd9637241bf98dc5191834b1e7a8b2dd8f3f25');

create function audit_log_refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end
$$;

create function audit_head_grow() returns trigger language plpgsql as $$
begin
    if new.sequence <= old.sequence then
        raise exception 'the head of the audit log only grows';
    end if;
    return new;
end
$$;

create trigger audit_log_change before update or delete on audit_log
    for each row execute function audit_log_refuse();
create trigger audit_log_truncate before truncate on audit_log
    for each statement execute function audit_log_refuse();
create trigger audit_head_update before update on audit_head
    for each row execute function audit_head_grow();
create trigger audit_head_delete before delete on audit_head
    for each row execute function audit_log_refuse();
create trigger audit_head_truncate before truncate on audit_head
    for each statement execute function audit_log_refuse();

-- They hold in a session, too, that passes itself off as a replica's.
alter table audit_log enable always trigger audit_log_change;
alter table audit_log enable always trigger audit_log_truncate;
alter table audit_head enable always trigger audit_head_update;
alter table audit_head enable always trigger audit_head_delete;
alter table audit_head enable always trigger audit_head_truncate;
