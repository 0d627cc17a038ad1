create table santral.handle_renewal (
    workspace_id uuid not null,
    normalization integer not null,
    state text not null default 'running',
    place uuid not null default '00000000-0000-0000-0000-000000000000',
    looked bigint not null default 0,
    renewed bigint not null default 0,
    clashed bigint not null default 0,
    unreadable bigint not null default 0,
    findings jsonb not null default '[]',
    began_at timestamptz not null default now(),
    ended_at timestamptz,
    constraint handle_renewal_pkey primary key (workspace_id),
    constraint handle_renewal_state_check check (state in ('running', 'done'))
);
