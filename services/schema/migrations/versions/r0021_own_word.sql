alter table santral.work_item add column own_word_at timestamptz;
alter table santral.work_item add column by_name boolean not null default false;
update santral.work_item set own_word_at = enqueued_at
where begun_by is not null and state in ('offered', 'assigned', 'wrapping', 'parked', 'queued');
-- Whose parked work is in a queue they do not belong to was given it by name.
update santral.work_item i set by_name = true where i.state = 'parked' and not exists (
    select 1 from santral.queue_member m where m.workspace_id = i.workspace_id and m.queue_id = i.queue_id and m.agent_id = i.agent_id);
