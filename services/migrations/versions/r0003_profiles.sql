alter table santral.profile add column search text not null default '';
create index profile_search_ix on santral.profile using gin (array_to_tsvector(string_to_array(search, ' ')));
alter table santral.consent add column explicit boolean not null default true;
alter table santral.consent add column actor text;
create table santral.profile_change (
    workspace_id uuid not null,
    profile_id uuid not null,
    version bigint not null,
    what jsonb not null,
    cause jsonb not null default '{}',
    at timestamptz not null default now(),
    constraint profile_change_pkey primary key (workspace_id, profile_id, version),
    constraint profile_change_workspace_id_fkey foreign key (workspace_id, profile_id) references santral.profile (workspace_id, id)
);
create table santral.note (
    workspace_id uuid not null,
    id uuid not null,
    handle_id uuid not null,
    text text not null,
    actor text not null,
    written_at timestamptz not null default now(),
    constraint note_pkey primary key (workspace_id, id),
    constraint note_workspace_id_fkey foreign key (workspace_id, handle_id) references santral.handle (workspace_id, id)
);
create index note_handle_ix on santral.note (handle_id, workspace_id);
create index note_text_ix on santral.note using gin (to_tsvector('turkish', text));
create function santral.profile_search(words text, note_words text, before_at timestamptz, before_id uuid, page integer)
returns table (id uuid, changed_at timestamptz)
language sql stable security definer set search_path = santral as $$
    select found.id, found.changed_at from (
        select p.id, p.changed_at from santral.profile p
        where $1 <> '' and array_to_tsvector(string_to_array(p.search, ' ')) @@ $1::tsquery
          and p.workspace_id = nullif(current_setting('app.workspace', true), '')::uuid
        union
        select p.id, p.changed_at from santral.note n
        join santral.handle h on h.workspace_id = n.workspace_id and h.id = n.handle_id
        join santral.profile p on p.workspace_id = h.workspace_id and p.id = h.profile_id
        where $2 <> '' and to_tsvector('turkish', n.text) @@ plainto_tsquery('turkish', $2)
          and n.workspace_id = nullif(current_setting('app.workspace', true), '')::uuid
    ) found
    where $3 is null or (found.changed_at, found.id) < ($3, $4)
    order by found.changed_at desc, found.id desc limit $5
$$;
revoke all on function santral.profile_search(text, text, timestamptz, uuid, integer) from public;
grant execute on function santral.profile_search(text, text, timestamptz, uuid, integer) to santral_api;
