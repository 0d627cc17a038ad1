update santral.workspace set settings = settings || jsonb_build_object('marked_mail', 'aside') where not settings ? 'marked_mail';
alter table santral.queue add column purpose text not null default 'customers'
    constraint queue_purpose_check check (purpose in ('customers', 'bulk'));
