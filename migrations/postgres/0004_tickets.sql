-- Tickets: sequences that were set aside, by which a payment passes a transaction that is stuck.

-- Those of each wallet that stand on the ledger, as its journal tells. They are all of them once
-- tickets_known says so: before that they are still to be read.
create table tickets (
    wallet text collate "C" not null,
    number bigint not null,
    constraint tickets_pk primary key (wallet, number)
);

alter table wallets add column tickets_known bigint not null default 0
    constraint wallets_tickets_known check (tickets_known in (0, 1));

-- What operators asked for, and what came of it. The engine of the wallet alone signs.
create table ticket_requests (
    id         bigint not null,
    wallet     text collate "C" not null,
    tickets    bigint not null,
    asked_at   bigint not null,
    status     text collate "C" not null,
    reason     text collate "C",
    tx_hash    bytea,
    settled_at bigint,
    constraint ticket_requests_pk primary key (id),
    constraint ticket_requests_tickets check (tickets between 1 and 250),
    constraint ticket_requests_status check (status in ('open', 'made', 'refused')),
    constraint ticket_requests_settled check ((status = 'open') = (settled_at is null))
);

create unique index ticket_requests_open on ticket_requests (wallet) where status = 'open';

-- An attempt of no payment that makes tickets, and for which request where it is not a refill.
alter table attempts add column makes_tickets bigint;
alter table attempts add column ticket_request bigint references ticket_requests (id);
