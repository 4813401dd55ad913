-- Tickets: sequences that were set aside, by which a payment passes a transaction that is stuck.

-- Those of each wallet that stand on the ledger, as its journal tells. They are all of them once
-- tickets_known says so: before that they are still to be read.
create table tickets (
    wallet text    not null,
    number integer not null,
    constraint tickets_pk primary key (wallet, number)
) strict;

alter table wallets add column tickets_known integer not null default 0 check (tickets_known in (0, 1));

-- What operators asked for, and what came of it. The engine of the wallet alone signs.
create table ticket_requests (
    id         integer not null,
    wallet     text    not null,
    tickets    integer not null,
    asked_at   integer not null,
    status     text    not null,
    reason     text,
    tx_hash    blob,
    settled_at integer,
    constraint ticket_requests_pk primary key (id),
    constraint ticket_requests_tickets check (tickets between 1 and 250),
    constraint ticket_requests_status check (status in ('open', 'made', 'refused')),
    constraint ticket_requests_settled check ((status = 'open') = (settled_at is null))
) strict;

create unique index ticket_requests_open on ticket_requests (wallet) where status = 'open';

-- An attempt of no payment that makes tickets, and for which request where it is not a refill.
alter table attempts add column makes_tickets integer;
alter table attempts add column ticket_request integer references ticket_requests (id);
