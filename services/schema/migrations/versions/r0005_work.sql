update santral.workspace set settings = settings || jsonb_build_object('marked_mail', 'aside') where not settings ? 'marked_mail';
alter table santral.queue add column purpose text not null default 'customers'
    constraint queue_purpose_check check (purpose in ('customers', 'bulk'));
create table santral.bulk_digest (
    workspace_id uuid not null,
    day date not null,
    mails integer not null,
    senders integer not null,
    message_ids uuid[] not null,
    made_at timestamp with time zone default now() not null,
    constraint bulk_digest_pkey primary key (workspace_id, day)
);
