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
create table santral.plan (
    workspace_id uuid not null,
    name text not null,
    title text not null default '',
    document jsonb not null,
    steps jsonb not null default '[]',
    version bigint not null default '1',
    managed_digest text,
    constraint plan_pkey primary key (workspace_id, name)
);
create table santral.agent_filter (
    workspace_id uuid not null,
    name text not null,
    source text not null,
    constraint agent_filter_pkey primary key (workspace_id, name)
);
create table santral.shift (
    workspace_id uuid not null,
    id uuid not null,
    agent_id uuid not null,
    kind text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    reason text not null default '',
    constraint shift_pkey primary key (workspace_id, id),
    constraint shift_workspace_id_fkey foreign key (workspace_id, agent_id) references santral.agent (workspace_id, id)
        on delete cascade,
    constraint shift_kind_check check (kind in ('shift', 'leave'))
);
create index shift_agent_ix on santral.shift (agent_id, workspace_id, ends_at);
alter table santral.queue add column routing jsonb;
alter table santral.queue add column wrap_s integer;
alter table santral.agent add column attributes jsonb not null default '{}';
alter table santral.agent add column presences jsonb not null default '{}';
alter table santral.agent add column online_since timestamptz;
alter table santral.agent add column last_offer_at timestamptz;
alter table santral.agent add column hours jsonb;
alter table santral.agent add column off_shift boolean not null default false;
alter table santral.agent add column shift_next_at timestamptz;
create index agent_shift_ix on santral.agent (shift_next_at) where shift_next_at is not null;
create index agent_off_shift_ix on santral.agent (id, workspace_id) where off_shift;
create table santral.queue_pace (
    workspace_id uuid not null,
    queue_id uuid not null,
    waiting integer not null,
    oldest_s double precision not null,
    online integer not null,
    finished integer not null,
    handling_s double precision,
    per_s double precision,
    measured_at timestamptz not null default now(),
    constraint queue_pace_pkey primary key (workspace_id, queue_id),
    constraint queue_pace_workspace_id_queue_id_fkey foreign key (workspace_id, queue_id)
        references santral.queue (workspace_id, id) on delete cascade
);
alter table santral.work_item add column predicted_s double precision;
alter table santral.work_item add column predicted_p90_s double precision;
