-- The audit log: who changed what may be done with money, each entry chained to the one before it.
-- Nothing of it is ever changed or deleted; the database itself refuses to, and whoever takes that
-- refusal away, or goes past it, is found by the chain.

create table audit_log (
    sequence     integer primary key,
    at           integer not null,
    -- A key with its client, an operator's command with its user, or the daemon itself.
    actor        text    not null,
    actor_id     text,
    actor_client text,
    action       text    not null,
    object       text    not null,
    -- What was before and after, as JSON; hashed as it is written here.
    data         text    not null,
    prev_hash    blob    not null,
    hash         blob    not null,
    constraint audit_log_sequence check (sequence > 0),
    constraint audit_log_hashes check (length(prev_hash) = 32 and length(hash) = 32)
) strict;

create index audit_log_actions on audit_log (action, sequence);

-- The last entry. Its row is locked by whoever writes the next one, until that is committed.
create table audit_head (
    mark     text    not null,
    sequence integer not null,
    hash     blob    not null,
    constraint audit_head_pk primary key (mark),
    constraint audit_head_mark check (mark = 'head'),
    constraint audit_head_hash check (length(hash) = 32)
) strict;

-- What the first entry names as the one before it: the SHA-256 of xrpayd.audit.v1.
insert into audit_head (mark, sequence, hash)
values ('head', 0, x'a031839d92baf89bca9b3deff4bd9637241bf98dc5191834b1e7a8b2dd8f3f25');

create trigger audit_log_update before update on audit_log
begin
    select raise(abort, 'the audit log is append-only');
end;

create trigger audit_log_delete before delete on audit_log
begin
    select raise(abort, 'the audit log is append-only');
end;

-- Replacing a row is no deletion to SQLite; so an entry comes after all others, or not at all.
create trigger audit_log_insert before insert on audit_log
when new.sequence <= (select coalesce(max(sequence), 0) from audit_log)
begin
    select raise(abort, 'the audit log is append-only');
end;

create trigger audit_head_update before update on audit_head
when new.sequence <= old.sequence
begin
    select raise(abort, 'the head of the audit log only grows');
end;

create trigger audit_head_delete before delete on audit_head
begin
    select raise(abort, 'the head of the audit log is not deleted');
end;

create trigger audit_head_insert before insert on audit_head
when exists (select 1 from audit_head)
begin
    select raise(abort, 'the audit log has one head');
end;
