create table santral.calendar (
    workspace_id uuid not null,
    name text not null,
    title text not null default '',
    time_zone text not null default 'UTC',
    hours jsonb,
    holidays jsonb,
    overrides jsonb not null default '{}',
    version bigint not null default '1',
    managed_digest text,
    constraint calendar_pkey primary key (workspace_id, name)
);
create table santral.sla (
    workspace_id uuid not null,
    name text not null,
    title text not null default '',
    calendar text,
    escalate_to text,
    warn_share double precision not null default '0.8',
    targets jsonb not null default '[]',
    version bigint not null default '1',
    managed_digest text,
    constraint sla_pkey primary key (workspace_id, name)
);
create table santral.sla_clock (
    workspace_id uuid not null,
    item_id uuid not null,
    kind text not null,
    sla text not null default '',
    target_s bigint not null,
    warn_s bigint not null,
    calendar text not null,
    escalate_to text,
    started_at timestamptz not null,
    resumed_at timestamptz,
    paused_at timestamptz,
    elapsed_s double precision not null default '0',
    due_at timestamptz,
    warn_at timestamptz,
    next_at timestamptz,
    warned_at timestamptz,
    breached_at timestamptz,
    escalated_at timestamptz,
    met_at timestamptz,
    stopped_at timestamptz,
    constraint sla_clock_pkey primary key (workspace_id, item_id, kind),
    constraint sla_clock_workspace_id_fkey foreign key (workspace_id, item_id) references santral.work_item (workspace_id, id)
        on delete cascade,
    constraint sla_clock_kind_check check (kind in ('first_response', 'resolution'))
);
create index sla_clock_running_ix on santral.sla_clock (item_id, workspace_id) where met_at is null and stopped_at is null;
create index work_item_closed_ix on santral.work_item (closed_at) where closed_at is not null;
alter table santral.queue add column calendar text;

CREATE INDEX work_item_giver_ix ON santral.work_item (workspace_id, giver_agent_id) WHERE giver_agent_id is not null and state in ('queued', 'offered');
alter table santral.policy add column note text not null default '';
alter table santral.policy add column activated_at timestamptz;
alter table santral.policy add column activated_by text;
update santral.policy set activated_at = created_at, activated_by = actor;
create index decision_errors_ix on santral.decision (workspace_id, id) where record ? 'errors';
