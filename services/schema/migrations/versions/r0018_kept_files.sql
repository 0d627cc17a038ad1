create table santral.kept_file (
    workspace_id uuid not null,
    blob text not null,
    number integer not null default 0,
    message_id uuid,
    size_bytes bigint,
    kept_at timestamptz not null default now(),
    constraint kept_file_pkey primary key (workspace_id, blob, number)
);
insert into santral.kept_file (workspace_id, blob, number, message_id, kept_at)
select workspace_id, blob, row_number() over (partition by workspace_id, blob order by accepted_at, id) - 1, id, accepted_at from (
    select distinct m.workspace_id, f->>'blob' as blob, m.id, m.accepted_at from santral.message m
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof(m.body->'content'->'files') = 'array' then m.body->'content'->'files' else '[]' end) f
    where m.direction = 'out' and m.body->'content' ? 'files'
) named
where blob ~ ('^' || workspace_id || '/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/attachment-');
create index kept_file_message_ix on santral.kept_file (workspace_id, message_id) where message_id is not null;
create index kept_file_unsent_ix on santral.kept_file (workspace_id, kept_at) where message_id is null;
