-- The stage in force, how it came to be, and what the payments made at it came to.

-- What the end of a payment counts as for its stage; none while it has none. What ended before this
-- migration is counted for no stage: the first one begins with the first start after it.
alter table payments add column outcome text
    constraint payments_outcome check (outcome in ('delivered', 'fault', 'refused', 'called_off'));

create index payments_ended on payments (stage, updated_at, outcome, created_at, approve_by)
    where outcome is not null;

-- One row. Whoever changes it locks the limits' row first, as everybody does who accepts.
create table rollout (
    scope   text    not null,
    -- Empty until a daemon has begun it.
    stage   text    not null,
    since   integer not null,
    version integer not null,
    constraint rollout_pk primary key (scope),
    constraint rollout_begun check ((stage = '') = (version = 0))
) strict;

insert into rollout (scope, stage, since, version) values ('all', '', 0, 0);

-- Every change of it, by the version that it made.
create table rollout_changes (
    version         integer not null,
    at              integer not null,
    kind            text    not null,
    from_stage      text,
    to_stage        text    not null,
    actor           text    not null,
    reason          text,
    override_reason text,
    -- What was measured, criterion by criterion.
    evidence        text    not null,
    constraint rollout_changes_pk primary key (version),
    constraint rollout_changes_kind check (kind in ('began', 'promoted', 'demoted')),
    constraint rollout_changes_from check ((from_stage is null) = (kind = 'began'))
) strict;

-- What people and their alerting report: part of the evidence.
create table rollout_incidents (
    number      integer primary key autoincrement,
    kind        text    not null,
    summary     text    not null,
    reported_at integer not null,
    reported_by text    not null,
    closed_at   integer,
    closed_by   text,
    note        text,
    constraint rollout_incidents_kind check (kind in ('security', 'alert')),
    constraint rollout_incidents_closed check ((closed_at is null) = (closed_by is null))
) strict;

create index rollout_incidents_by_kind on rollout_incidents (kind, reported_at);
create index rollout_incidents_open on rollout_incidents (kind) where closed_at is null;
