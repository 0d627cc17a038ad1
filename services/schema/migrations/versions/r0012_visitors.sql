alter table santral.session add column wrote_at timestamptz;
create index session_visitor_ix on santral.session (workspace_id, visitor_id) where visitor_id is not null;
create table santral.visitor_join (
    workspace_id uuid not null,
    inbox_id uuid not null,
    visitor_id uuid not null,
    customer_id uuid not null,
    joined_at timestamptz not null default now(),
    constraint visitor_join_pkey primary key (workspace_id, inbox_id, visitor_id)
);
create index visitor_join_customer_ix on santral.visitor_join (workspace_id, inbox_id, customer_id);
