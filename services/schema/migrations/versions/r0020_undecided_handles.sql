create table santral.undecided_handle (
    workspace_id uuid not null,
    handle_id uuid not null,
    put_off_at timestamptz not null,
    due_at timestamptz not null default now(),
    constraint undecided_handle_pkey primary key (workspace_id, handle_id),
    constraint undecided_handle_workspace_id_fkey foreign key (workspace_id, handle_id) references santral.handle (workspace_id, id)
);
create index quarantine_replaying_ix on santral.quarantine (workspace_id, id) where state = 'replaying';
create index undecided_handle_due_ix on santral.undecided_handle (workspace_id, due_at);
