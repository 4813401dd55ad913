-- Money that goes back: deposits that a person assigns or returns, and refunds of invoices.

-- One row for every payment that gives something back.
create table paybacks (
    payment_id      text    not null,
    -- The deposit whose payer is paid; none where a refund goes to another address.
    deposit_id      text,
    -- The invoice that is refunded; none for a return.
    invoice_id      text,
    -- Which try of the return, or which refund of the invoice.
    number          integer not null,
    -- Reserved while it is on its way, and what was delivered once it has been.
    drops           integer not null,
    state           text    not null,
    destination     text    not null,
    destination_tag integer,
    reason          text,
    asked_by        text    not null,
    asked_client    text    not null,
    asked_key       text,
    fingerprint     blob    not null,
    created_at      integer not null,
    settled_at      integer,
    constraint paybacks_pk primary key (payment_id),
    constraint paybacks_idempotency unique (asked_client, asked_key),
    constraint paybacks_state check (state in ('pending', 'succeeded', 'failed')),
    constraint paybacks_settled check ((settled_at is null) = (state = 'pending')),
    constraint paybacks_drops check (drops > 0),
    constraint paybacks_number check (number > 0),
    constraint paybacks_of check (deposit_id is not null or invoice_id is not null)
) strict;

-- A deposit is returned once, and tried again only where nothing was delivered.
create unique index paybacks_return_once on paybacks (deposit_id)
    where invoice_id is null and state <> 'failed';
create unique index paybacks_tries on paybacks (deposit_id, number) where invoice_id is null;
create unique index paybacks_of_invoice on paybacks (invoice_id, number) where invoice_id is not null;
create index paybacks_to on paybacks (destination, drops) where state = 'succeeded';

-- How the newest return of a deposit stands, and who assigned it to its invoice.
alter table deposits add column return_payment text;
alter table deposits add column return_state text
    constraint deposits_return_state check (return_state in ('pending', 'succeeded', 'failed'));
alter table deposits add column return_drops integer;
alter table deposits add column assigned_by text;
