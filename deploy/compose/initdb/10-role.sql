-- Run once, by the image of PostgreSQL as its superuser, when the files of the database are made: the daemon's
-- role, which owns its database, and may make another one beside it, into which a backup is restored to look
-- at it. The superuser comes in by the socket inside the container alone (pg_hba.conf).
\set password `cat /run/secrets/database_password`
select :'password' <> '' as is_told \gset
\if :is_told
\else
do $$ begin raise exception 'the secret database_password is missing or empty'; end $$;
\endif
-- What fails here is not written into the log with its words.
set log_min_error_statement = panic;
create role xrpayd login nosuperuser createdb nocreaterole noreplication nobypassrls password :'password';
create database xrpayd owner xrpayd;
revoke all on database xrpayd from public;
