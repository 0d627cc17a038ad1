alter table santral.work_item add column own_word_at timestamptz;
alter table santral.work_item add column by_name boolean not null default false;
update santral.work_item set own_word_at = enqueued_at
where begun_by is not null and state in ('offered', 'assigned', 'wrapping', 'parked', 'queued');
