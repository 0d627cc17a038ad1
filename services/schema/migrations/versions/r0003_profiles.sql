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
create table santral.tombstone (
    workspace_id uuid not null,
    handle_id uuid not null,
    erasure_id uuid not null,
    hash bytea not null,
    erased_at timestamptz not null,
    constraint tombstone_pkey primary key (workspace_id, handle_id)
);
create index tombstone_hash_ix on santral.tombstone (hash, workspace_id);
create index tombstone_erasure_ix on santral.tombstone (erasure_id, workspace_id);
create table santral.erasure (
    workspace_id uuid not null,
    id uuid not null,
    profile_id uuid not null,
    reason text not null,
    actor text not null,
    state text default 'asked' not null,
    step text default 'quarantine' not null,
    place jsonb default '{}' not null,
    counts jsonb default '{}' not null,
    due_at timestamptz default now() not null,
    asked_at timestamptz default now() not null,
    erased_at timestamptz,
    log_ends_at timestamptz,
    done_at timestamptz,
    constraint erasure_pkey primary key (workspace_id, id),
    constraint erasure_state_check check (state in ('asked', 'running', 'done'))
);
create unique index erasure_open_ix on santral.erasure (workspace_id, profile_id) where state <> 'done';
create index erasure_due_ix on santral.erasure (due_at) where state <> 'done';
create table santral.blob_removal (
    workspace_id uuid not null,
    key text not null,
    cause uuid not null,
    asked_at timestamptz default now() not null,
    constraint blob_removal_pkey primary key (workspace_id, key)
);
create index blob_removal_cause_ix on santral.blob_removal (cause, workspace_id);
create table santral.person_export (
    workspace_id uuid not null,
    id uuid not null,
    profile_id uuid not null,
    actor text not null,
    state text default 'asked' not null,
    done integer default 0 not null,
    parts integer default 0 not null,
    blob text,
    size_bytes bigint,
    attempts integer default 0 not null,
    due_at timestamptz default now() not null,
    asked_at timestamptz default now() not null,
    done_at timestamptz,
    expires_at timestamptz,
    constraint person_export_pkey primary key (workspace_id, id),
    constraint person_export_state_check check (state in ('asked', 'running', 'done', 'failed', 'expired'))
);
create index person_export_due_ix on santral.person_export (due_at) where state in ('asked', 'running', 'done');
create table santral.profile_view (
    workspace_id uuid not null,
    id uuid not null,
    profile_id uuid not null,
    actor text not null,
    at timestamptz default now() not null,
    constraint profile_view_pkey primary key (workspace_id, id)
);
create index profile_view_profile_ix on santral.profile_view (profile_id, workspace_id, id);
create table santral.retention_run (
    workspace_id uuid not null,
    id uuid not null,
    class text not null,
    days integer not null,
    removed bigint default 0 not null,
    at timestamptz default now() not null,
    constraint retention_run_pkey primary key (workspace_id, id)
);
create function santral.audit_expire(workspace uuid, before_at timestamptz, page integer) returns bigint
language sql security definer set search_path = santral as $$
    with gone as (
        select a.workspace_id, a.id from santral.audit a where a.workspace_id = $1 and a.at < $2 order by a.id limit $3
    ), removed as (
        delete from santral.audit a using gone where a.workspace_id = gone.workspace_id and a.id = gone.id returning 1
    )
    select count(*) from removed
$$;
revoke all on function santral.audit_expire(uuid, timestamptz, integer) from public;
grant execute on function santral.audit_expire(uuid, timestamptz, integer) to santral_worker;
create table santral.import_job (
    workspace_id uuid not null,
    id uuid not null,
    source text not null,
    digest text not null,
    assurance text not null,
    observed_at timestamptz not null,
    actor text not null,
    state text not null default 'open',
    next_row bigint not null default 1,
    created bigint not null default 0,
    changed bigint not null default 0,
    unchanged bigint not null default 0,
    rejected bigint not null default 0,
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint import_job_pkey primary key (workspace_id, id),
    constraint import_job_workspace_id_source_digest_key unique (workspace_id, source, digest),
    constraint import_job_state_check check (state in ('open', 'finished'))
);
create table santral.blob_orphan (
    workspace_id uuid not null,
    message_id uuid not null,
    seen_at timestamptz not null default now(),
    constraint blob_orphan_pkey primary key (workspace_id, message_id)
);
create table santral.suggestion_key (
    workspace_id uuid not null,
    key bigint not null,
    profile_id uuid not null,
    constraint suggestion_key_pkey primary key (workspace_id, key, profile_id)
);
create index suggestion_key_profile_ix on santral.suggestion_key (profile_id, workspace_id);
create table santral.rules_pass (
    workspace_id uuid not null,
    digest text not null,
    state text not null default 'running',
    place uuid not null default '00000000-0000-0000-0000-000000000000',
    looked bigint not null default 0,
    changed bigint not null default 0,
    began_at timestamptz not null default now(),
    ended_at timestamptz,
    constraint rules_pass_pkey primary key (workspace_id),
    constraint rules_pass_state_check check (state in ('running', 'done'))
);
create table santral.import_row (
    workspace_id uuid not null,
    import_id uuid not null,
    hub uuid not null,
    number bigint not null,
    constraint import_row_pkey primary key (workspace_id, import_id, hub)
);
create table santral.suggestion (
    workspace_id uuid not null,
    id uuid not null,
    a uuid not null,
    b uuid not null,
    weight double precision not null,
    probability double precision not null,
    evidence jsonb not null,
    state text not null default 'open',
    actor text,
    made_at timestamptz not null default now(),
    decided_at timestamptz,
    constraint suggestion_pkey primary key (workspace_id, id),
    constraint suggestion_workspace_id_a_b_key unique (workspace_id, a, b),
    constraint suggestion_workspace_id_a_fkey foreign key (workspace_id, a) references santral.handle (workspace_id, id),
    constraint suggestion_workspace_id_b_fkey foreign key (workspace_id, b) references santral.handle (workspace_id, id),
    constraint suggestion_order_check check (a < b),
    constraint suggestion_state_check check (state in ('open', 'confirmed', 'rejected'))
);
create index suggestion_b_ix on santral.suggestion (b, workspace_id);
create index suggestion_state_ix on santral.suggestion (workspace_id, state, made_at, id);
create index profile_changed_ix on santral.profile (workspace_id, changed_at, id);
create table santral.suggestion_place (
    workspace_id uuid not null,
    changed_at timestamptz not null,
    profile_id uuid not null,
    constraint suggestion_place_pkey primary key (workspace_id)
);
alter table santral.conversation add column merged_into uuid;
create index conversation_merged_ix on santral.conversation (merged_into, workspace_id) where merged_into is not null;
create index conversation_gone_ix on santral.conversation (handle_id, workspace_id) where merged_into is not null;
create index conversation_last_gone_ix on santral.conversation (last_handle_id, workspace_id) where merged_into is not null;
create index thread_ref_conversation_ix on santral.thread_ref (conversation_id, workspace_id);
create table santral.placement_operation (
    workspace_id uuid not null,
    id uuid not null,
    number bigint generated always as identity not null,
    kind text not null,
    from_conversation_id uuid not null,
    to_conversation_id uuid not null,
    reason text,
    actor text not null,
    prior jsonb not null,
    done_at timestamptz not null default now(),
    undone_at timestamptz,
    undone_by text,
    constraint placement_operation_pkey primary key (workspace_id, id),
    constraint placement_operation_kind_check check (kind in ('merge', 'split', 'move'))
);
create index placement_operation_from_ix on santral.placement_operation (from_conversation_id, workspace_id, number);
create index placement_operation_to_ix on santral.placement_operation (to_conversation_id, workspace_id, number);
alter table santral.placement add column operation_id uuid not null;
alter table santral.placement add column number bigint generated always as identity not null;
alter table santral.placement add column from_seq bigint not null;
alter table santral.placement add column to_seq bigint not null;
alter table santral.placement add column undo boolean not null default false;
create index placement_message_ix on santral.placement (message_id, workspace_id, number);
create index placement_operation_ix on santral.placement (operation_id, workspace_id, number);
