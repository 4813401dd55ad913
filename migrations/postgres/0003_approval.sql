-- Payments that wait for the word of a second person, and those that it refused.

alter table payments
    add column approval_doc text collate "C",
    add column approve_by bigint,
    drop constraint payments_status,
    drop constraint payments_phase,
    drop constraint payments_phase_of_status,
    add constraint payments_status check (status in ('awaiting_approval', 'processing', 'succeeded', 'failed', 'expired', 'cancelled', 'rejected')),
    add constraint payments_phase check (phase in ('awaiting', 'queued', 'in_flight', 'final')),
    add constraint payments_phase_of_status check (
        (phase = 'awaiting') = (status = 'awaiting_approval')
        and (phase in ('queued', 'in_flight')) = (status = 'processing')
    ),
    add constraint payments_approval check ((approval_doc is null) = (approve_by is null));

drop index payments_not_delivered;
create index payments_not_delivered on payments (status, created_at, id)
    where status in ('failed', 'expired', 'cancelled', 'rejected', 'awaiting_approval');
create index payments_awaiting on payments (wallet, approve_by) where phase = 'awaiting';

alter table payment_ends
    drop constraint payment_ends_status,
    add constraint payment_ends_status check (status in ('succeeded', 'failed', 'expired', 'cancelled', 'rejected'));
