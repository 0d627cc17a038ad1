CREATE TABLE santral.agent (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    kind TEXT DEFAULT 'human' NOT NULL,
    user_id UUID,
    languages TEXT[] DEFAULT '{}' NOT NULL,
    skills JSONB DEFAULT '{}' NOT NULL,
    budget INTEGER DEFAULT '100' NOT NULL,
    used INTEGER DEFAULT '0' NOT NULL,
    interruptible_used INTEGER DEFAULT '0' NOT NULL,
    exclusive_held INTEGER DEFAULT '0' NOT NULL,
    channels JSONB DEFAULT '{}' NOT NULL,
    counts JSONB DEFAULT '{}' NOT NULL,
    presence TEXT DEFAULT 'offline' NOT NULL,
    presence_reason TEXT DEFAULT '' NOT NULL,
    presence_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    idle_since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seq BIGINT DEFAULT '0' NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    config_version BIGINT DEFAULT '1' NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    managed_digest TEXT,
    CONSTRAINT agent_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT agent_name_workspace_id_key UNIQUE (name, workspace_id),
    CONSTRAINT agent_presence_check CHECK (presence in ('online', 'busy', 'away', 'not_responding', 'offline')),
    CONSTRAINT agent_used_check CHECK (used >= 0)
);

CREATE TABLE santral.api_key (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    public_id TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT api_key_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT api_key_public_id_key UNIQUE (public_id)
);

CREATE TABLE santral.audit (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT,
    target_id TEXT,
    details JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (workspace_id, id)
);

CREATE TABLE santral.connection (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    path_token TEXT NOT NULL,
    settings JSONB DEFAULT '{}' NOT NULL,
    secrets BYTEA,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT connection_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT connection_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT connection_path_token_key UNIQUE (path_token)
);

CREATE TABLE santral.decision (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    conversation_id UUID NOT NULL,
    item_id UUID,
    message_id UUID,
    record JSONB NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT decision_pkey PRIMARY KEY (workspace_id, id)
);

CREATE INDEX decision_conversation_ix ON santral.decision (conversation_id, workspace_id);

CREATE TABLE santral.delivery (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    message_id UUID NOT NULL,
    inbox_id UUID NOT NULL,
    handle_id UUID NOT NULL,
    item_id UUID,
    agent_id UUID,
    state TEXT DEFAULT 'queued' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    provider_id TEXT,
    request JSONB NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    owner UUID,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT delivery_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT delivery_workspace_id_message_id_key UNIQUE (workspace_id, message_id),
    CONSTRAINT delivery_state_check CHECK (state in ('queued', 'sent', 'delivered', 'read', 'failed'))
);

CREATE INDEX delivery_due_ix ON santral.delivery (due_at) WHERE state = 'queued';

CREATE INDEX delivery_provider_ix ON santral.delivery (workspace_id, inbox_id, provider_id);

CREATE TABLE santral.deployment (
    one BOOLEAN DEFAULT true NOT NULL,
    incarnation UUID NOT NULL,
    kafka_cluster_id TEXT,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT deployment_pkey PRIMARY KEY (one)
);

CREATE TABLE santral.dispatch_change (
    workspace_id UUID NOT NULL,
    slot SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    id UUID NOT NULL
);

CREATE INDEX dispatch_change_slot_ix ON santral.dispatch_change (slot);

CREATE TABLE santral.event (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    type TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    conversation_id UUID,
    seq BIGINT,
    agent_id UUID,
    agent_seq BIGINT,
    profile_id UUID,
    data JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (workspace_id, id)
);

CREATE UNIQUE INDEX event_agent_seq_ix ON santral.event (workspace_id, agent_id, agent_seq) WHERE agent_id is not null;

CREATE UNIQUE INDEX event_conversation_seq_ix ON santral.event (workspace_id, conversation_id, seq) WHERE conversation_id is not null;

CREATE TABLE santral.handle (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT DEFAULT '' NOT NULL,
    value TEXT NOT NULL,
    raw TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    profile_id UUID NOT NULL,
    assurance TEXT DEFAULT 'asserted' NOT NULL,
    shared BOOLEAN DEFAULT false NOT NULL,
    shared_by TEXT DEFAULT '' NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT handle_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT handle_value_kind_scope_workspace_id_key UNIQUE (value, kind, scope, workspace_id)
);

CREATE INDEX handle_profile_ix ON santral.handle (profile_id, workspace_id);

CREATE TABLE santral.host (
    id UUID NOT NULL,
    process TEXT NOT NULL,
    machine TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    health_url TEXT,
    facts JSONB DEFAULT '{}' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT host_pkey PRIMARY KEY (id)
);

CREATE TABLE santral.idempotency (
    workspace_id UUID NOT NULL,
    key TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    message_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT idempotency_pkey PRIMARY KEY (workspace_id, key)
);

CREATE INDEX idempotency_message_ix ON santral.idempotency (workspace_id, message_id);

CREATE TABLE santral.lease (
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    owner UUID,
    epoch BIGINT DEFAULT '0' NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT lease_pkey PRIMARY KEY (kind, slot)
);

CREATE TABLE santral.outbox (
    workspace_id UUID NOT NULL,
    event_id UUID NOT NULL,
    bucket SMALLINT NOT NULL,
    position BIGINT DEFAULT nextval('santral.outbox_position') NOT NULL,
    CONSTRAINT outbox_pkey PRIMARY KEY (workspace_id, event_id)
);

CREATE INDEX outbox_bucket_position_ix ON santral.outbox (bucket, position);

CREATE TABLE santral.partition_lease (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    owner UUID NOT NULL,
    epoch BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT partition_lease_pkey PRIMARY KEY (topic, partition)
);

CREATE TABLE santral.placement (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    message_id UUID NOT NULL,
    from_conversation_id UUID NOT NULL,
    to_conversation_id UUID NOT NULL,
    actor TEXT NOT NULL,
    placed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT placement_pkey PRIMARY KEY (workspace_id, id)
);

CREATE TABLE santral.policy (
    workspace_id UUID NOT NULL,
    version BIGINT NOT NULL,
    document JSONB NOT NULL,
    active BOOLEAN DEFAULT false NOT NULL,
    managed_digest TEXT,
    actor TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT policy_pkey PRIMARY KEY (workspace_id, version)
);

CREATE UNIQUE INDEX policy_active_ix ON santral.policy (workspace_id) WHERE active;

CREATE TABLE santral.quarantine (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    message_id UUID NOT NULL,
    inbox_id UUID,
    reason TEXT NOT NULL,
    error TEXT DEFAULT '' NOT NULL,
    error_hash TEXT DEFAULT '' NOT NULL,
    record BYTEA NOT NULL,
    headers JSONB DEFAULT '{}' NOT NULL,
    source JSONB DEFAULT '{}' NOT NULL,
    attempts INTEGER DEFAULT '1' NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    quarantined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolved_by TEXT,
    CONSTRAINT quarantine_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT quarantine_workspace_id_message_id_key UNIQUE (workspace_id, message_id)
);

CREATE INDEX quarantine_open_ix ON santral.quarantine (workspace_id, quarantined_at) WHERE state = 'open';

CREATE TABLE santral.queue (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    mode TEXT DEFAULT 'push' NOT NULL,
    comparator TEXT DEFAULT 'load' NOT NULL,
    goals_s JSONB DEFAULT '{}' NOT NULL,
    targets_s JSONB DEFAULT '{}' NOT NULL,
    offer_s INTEGER DEFAULT '30' NOT NULL,
    overflow TEXT DEFAULT '' NOT NULL,
    plan JSONB DEFAULT '[]' NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    CONSTRAINT queue_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT queue_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT queue_mode_check CHECK (mode in ('push', 'pull', 'both'))
);

CREATE TABLE santral.receipt (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    state TEXT NOT NULL,
    conversation_id UUID,
    seq BIGINT,
    taken_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT receipt_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT receipt_state_check CHECK (state in ('taken', 'quarantined', 'erased'))
);

CREATE TABLE santral.role (
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    visibility TEXT NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    CONSTRAINT role_pkey PRIMARY KEY (workspace_id, name),
    CONSTRAINT role_visibility_check CHECK (visibility in ('own', 'team', 'queue', 'workspace'))
);

CREATE TABLE santral.session (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    public_id TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    user_id UUID,
    agent_id UUID,
    inbox_id UUID,
    visitor_id UUID,
    claims JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT session_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT session_public_id_key UNIQUE (public_id)
);

CREATE INDEX session_agent_ix ON santral.session (workspace_id, agent_id);

CREATE TABLE santral.signature_use (
    workspace_id UUID NOT NULL,
    connection_or_inbox_id UUID NOT NULL,
    token TEXT NOT NULL,
    body_digest BYTEA NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT signature_use_pkey PRIMARY KEY (workspace_id, connection_or_inbox_id, token)
);

CREATE TABLE santral.skill (
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    CONSTRAINT skill_pkey PRIMARY KEY (workspace_id, name)
);

CREATE TABLE santral.workspace (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    title TEXT DEFAULT '' NOT NULL,
    settings JSONB DEFAULT '{}' NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT workspace_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT workspace_self_check CHECK (workspace_id = id),
    CONSTRAINT workspace_workspace_id_key UNIQUE (workspace_id),
    CONSTRAINT workspace_name_key UNIQUE (name)
);

CREATE TABLE santral.cannot_link (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    a UUID NOT NULL,
    b UUID NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT,
    stated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    retracted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT cannot_link_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT cannot_link_workspace_id_a_fkey FOREIGN KEY(workspace_id, a) REFERENCES santral.handle (workspace_id, id),
    CONSTRAINT cannot_link_workspace_id_b_fkey FOREIGN KEY(workspace_id, b) REFERENCES santral.handle (workspace_id, id),
    CONSTRAINT cannot_link_order_check CHECK (a < b)
);

CREATE INDEX cannot_link_a_ix ON santral.cannot_link (workspace_id, a);

CREATE INDEX cannot_link_b_ix ON santral.cannot_link (workspace_id, b);

CREATE TABLE santral.consent (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    handle_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    channel TEXT NOT NULL,
    granted BOOLEAN NOT NULL,
    source TEXT NOT NULL,
    stated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT consent_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT consent_workspace_id_handle_id_fkey FOREIGN KEY(workspace_id, handle_id) REFERENCES santral.handle (workspace_id, id)
);

CREATE INDEX consent_handle_ix ON santral.consent (workspace_id, handle_id);

CREATE TABLE santral.fact (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    handle_id UUID NOT NULL,
    name TEXT NOT NULL,
    value JSONB NOT NULL,
    source TEXT NOT NULL,
    assurance TEXT NOT NULL,
    observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT fact_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT fact_workspace_id_handle_id_name_source_key UNIQUE (workspace_id, handle_id, name, source),
    CONSTRAINT fact_workspace_id_handle_id_fkey FOREIGN KEY(workspace_id, handle_id) REFERENCES santral.handle (workspace_id, id)
);

CREATE TABLE santral.inbox (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    channel TEXT NOT NULL,
    provider TEXT NOT NULL,
    connection_id UUID,
    address TEXT,
    path_token TEXT NOT NULL,
    settings JSONB DEFAULT '{}' NOT NULL,
    secrets BYTEA,
    enabled BOOLEAN DEFAULT true NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT inbox_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT inbox_workspace_id_connection_id_fkey FOREIGN KEY(workspace_id, connection_id) REFERENCES santral.connection (workspace_id, id),
    CONSTRAINT inbox_path_token_key UNIQUE (path_token)
);

CREATE UNIQUE INDEX inbox_connection_address_ix ON santral.inbox (workspace_id, connection_id, address);

CREATE INDEX inbox_provider_address_ix ON santral.inbox (provider, address);

CREATE TABLE santral.link (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    a UUID NOT NULL,
    b UUID NOT NULL,
    kind TEXT NOT NULL,
    assurance TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence JSONB DEFAULT '{}' NOT NULL,
    actor TEXT,
    first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    retracted_at TIMESTAMP WITH TIME ZONE,
    retracted_by TEXT,
    CONSTRAINT link_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT link_workspace_id_source_a_b_kind_key UNIQUE (workspace_id, source, a, b, kind),
    CONSTRAINT link_workspace_id_a_fkey FOREIGN KEY(workspace_id, a) REFERENCES santral.handle (workspace_id, id),
    CONSTRAINT link_workspace_id_b_fkey FOREIGN KEY(workspace_id, b) REFERENCES santral.handle (workspace_id, id),
    CONSTRAINT link_order_check CHECK (a < b)
);

CREATE INDEX link_a_ix ON santral.link (workspace_id, a, b);

CREATE INDEX link_b_ix ON santral.link (workspace_id, b);

CREATE TABLE santral.profile (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    merged_into UUID DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
    last_agent_id UUID,
    effective JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT profile_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT profile_workspace_id_id_fkey FOREIGN KEY(workspace_id, id) REFERENCES santral.handle (workspace_id, id)
);

CREATE TABLE santral.queue_member (
    workspace_id UUID NOT NULL,
    queue_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    priority INTEGER DEFAULT '0' NOT NULL,
    delay_s INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT queue_member_pkey PRIMARY KEY (workspace_id, queue_id, agent_id),
    CONSTRAINT queue_member_workspace_id_queue_id_fkey FOREIGN KEY(workspace_id, queue_id) REFERENCES santral.queue (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT queue_member_workspace_id_agent_id_fkey FOREIGN KEY(workspace_id, agent_id) REFERENCES santral.agent (workspace_id, id) ON DELETE CASCADE
);

CREATE INDEX queue_member_agent_ix ON santral.queue_member (agent_id, workspace_id);

CREATE TABLE santral."user" (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    role TEXT NOT NULL,
    enabled BOOLEAN DEFAULT true NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    managed_digest TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT user_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT user_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT user_workspace_id_role_fkey FOREIGN KEY(workspace_id, role) REFERENCES santral.role (workspace_id, name)
);

CREATE TABLE santral.conversation (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    handle_id UUID NOT NULL,
    inbox_id UUID NOT NULL,
    last_inbox_id UUID NOT NULL,
    last_handle_id UUID NOT NULL,
    channel TEXT NOT NULL,
    channels TEXT[] DEFAULT '{}' NOT NULL,
    visibility TEXT DEFAULT 'private' NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    language TEXT DEFAULT '' NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    seq BIGINT DEFAULT '0' NOT NULL,
    thread_key TEXT DEFAULT '' NOT NULL,
    last_agent_id UUID,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_in_at TIMESTAMP WITH TIME ZONE,
    last_out_at TIMESTAMP WITH TIME ZONE,
    window_expires_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT conversation_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT conversation_workspace_id_handle_id_fkey FOREIGN KEY(workspace_id, handle_id) REFERENCES santral.handle (workspace_id, id),
    CONSTRAINT conversation_workspace_id_inbox_id_fkey FOREIGN KEY(workspace_id, inbox_id) REFERENCES santral.inbox (workspace_id, id),
    CONSTRAINT conversation_state_check CHECK (state in ('open', 'closed'))
);

CREATE INDEX conversation_handle_ix ON santral.conversation (handle_id, workspace_id, opened_at);

CREATE INDEX conversation_last_handle_ix ON santral.conversation (last_handle_id, workspace_id, opened_at);

CREATE TABLE santral.poll (
    workspace_id UUID NOT NULL,
    inbox_id UUID NOT NULL,
    source TEXT NOT NULL,
    place JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT poll_pkey PRIMARY KEY (workspace_id, inbox_id, source),
    CONSTRAINT poll_workspace_id_inbox_id_fkey FOREIGN KEY(workspace_id, inbox_id) REFERENCES santral.inbox (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE santral.message (
    workspace_id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    id UUID NOT NULL,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    provider TEXT NOT NULL,
    inbox_id UUID NOT NULL,
    handle_id UUID,
    agent_id UUID,
    visibility TEXT NOT NULL,
    external_id TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    body JSONB DEFAULT '{}' NOT NULL,
    signals JSONB DEFAULT '{}' NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    stored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT message_pkey PRIMARY KEY (workspace_id, conversation_id, seq),
    CONSTRAINT message_workspace_id_conversation_id_fkey FOREIGN KEY(workspace_id, conversation_id) REFERENCES santral.conversation (workspace_id, id)
);

CREATE TABLE santral.thread_ref (
    workspace_id UUID NOT NULL,
    ref TEXT NOT NULL,
    conversation_id UUID NOT NULL,
    message_id UUID,
    CONSTRAINT thread_ref_pkey PRIMARY KEY (workspace_id, ref),
    CONSTRAINT thread_ref_workspace_id_conversation_id_fkey FOREIGN KEY(workspace_id, conversation_id) REFERENCES santral.conversation (workspace_id, id)
);

CREATE TABLE santral.work_item (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    conversation_id UUID NOT NULL,
    queue_id UUID NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT DEFAULT 'conversation' NOT NULL,
    state TEXT NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    due_class SMALLINT DEFAULT '1' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    enqueued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    plan JSONB DEFAULT '[]' NOT NULL,
    step SMALLINT DEFAULT '0' NOT NULL,
    step_at TIMESTAMP WITH TIME ZONE NOT NULL,
    skills JSONB DEFAULT '{}' NOT NULL,
    held JSONB DEFAULT '{}' NOT NULL,
    agent_id UUID,
    offer_id UUID,
    sticky_agent_id UUID,
    sticky_until TIMESTAMP WITH TIME ZONE,
    last_agent_id UUID,
    excluded JSONB DEFAULT '{}' NOT NULL,
    target_agent_id UUID,
    giver_agent_id UUID,
    reopened_from UUID,
    policy_version BIGINT,
    profile_version BIGINT,
    decision_id UUID,
    external BOOLEAN DEFAULT false NOT NULL,
    reopen_count INTEGER DEFAULT '0' NOT NULL,
    last_offered_agent_id UUID,
    hold_until TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    overflowed BOOLEAN DEFAULT false NOT NULL,
    assigned_at TIMESTAMP WITH TIME ZONE,
    first_reply_at TIMESTAMP WITH TIME ZONE,
    parked_at TIMESTAMP WITH TIME ZONE,
    timer_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    outcome JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT work_item_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT work_item_workspace_id_conversation_id_fkey FOREIGN KEY(workspace_id, conversation_id) REFERENCES santral.conversation (workspace_id, id),
    CONSTRAINT work_item_workspace_id_queue_id_fkey FOREIGN KEY(workspace_id, queue_id) REFERENCES santral.queue (workspace_id, id),
    CONSTRAINT work_item_state_check CHECK (state in ('queued', 'offered', 'assigned', 'parked', 'wrapping', 'completed', 'abandoned', 'canceled'))
);

CREATE INDEX work_item_agent_ix ON santral.work_item (workspace_id, agent_id) WHERE state in ('offered', 'assigned', 'wrapping');

CREATE INDEX work_item_conversation_ix ON santral.work_item (conversation_id, workspace_id);

CREATE UNIQUE INDEX work_item_open_ix ON santral.work_item (workspace_id, conversation_id) WHERE state not in ('completed', 'abandoned', 'canceled');

CREATE INDEX work_item_queued_ix ON santral.work_item (workspace_id, queue_id, due_class, due_at) WHERE state = 'queued';

CREATE INDEX work_item_timer_ix ON santral.work_item (timer_at) WHERE timer_at is not null;

CREATE TABLE santral.offer (
    workspace_id UUID NOT NULL,
    id UUID NOT NULL,
    item_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    decision_id UUID NOT NULL,
    state TEXT NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT offer_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT offer_workspace_id_item_id_fkey FOREIGN KEY(workspace_id, item_id) REFERENCES santral.work_item (workspace_id, id),
    CONSTRAINT offer_workspace_id_agent_id_fkey FOREIGN KEY(workspace_id, agent_id) REFERENCES santral.agent (workspace_id, id)
);

CREATE INDEX offer_agent_ix ON santral.offer (workspace_id, agent_id) WHERE state = 'open';

CREATE INDEX offer_open_ix ON santral.offer (until) WHERE state = 'open';

