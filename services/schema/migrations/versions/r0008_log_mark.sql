-- The record before a partition's position, by which the log is known again: a column may be null, for rows that 0.1.0 wrote.
alter table santral.partition_lease
    add column last_offset bigint,
    add column last_at timestamptz,
    add column last_digest bytea;
