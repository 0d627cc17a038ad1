"""The first schema: every table, row-level security on each, the runtime roles' rights, the one definer function.

Row-level security: `santral_api` sees the workspace set in its transaction; `santral_worker` and `santral_owner` see all, because
their batches span workspaces and the owner is not a superuser, so FORCE binds it too. Tables without a workspace are out of
`santral_api`'s reach. The audit can only grow.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WITHOUT_WORKSPACE = ("deployment", "host", "lease", "partition_lease")
_APPEND_ONLY = ("audit", "placement")
_DEFINER = """
create function santral.credential(kind text, public_id text)
returns table (workspace_id uuid, id uuid, secret_hash bytea, scopes text[], subject jsonb, expires_at timestamptz)
language sql stable security definer set search_path = santral as $$
    select k.workspace_id, k.id, k.secret_hash, k.scopes, jsonb_build_object('kind', 'key', 'name', k.name), k.expires_at
    from santral.api_key k
    where $1 = 'key' and k.public_id = $2 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
    union all
    select s.workspace_id, s.id, s.secret_hash, null::text[],
           jsonb_build_object('kind', s.kind, 'user_id', s.user_id, 'agent_id', s.agent_id, 'inbox_id', s.inbox_id,
                              'visitor_id', s.visitor_id, 'claims', s.claims),
           s.expires_at
    from santral.session s
    where $1 = s.kind and s.public_id = $2 and s.revoked_at is null and s.expires_at > now()
    union all
    select i.workspace_id, i.id, null::bytea, null::text[],
           jsonb_build_object('kind', 'inbox', 'inbox_id', i.id, 'provider', i.provider, 'settings', i.settings,
                              'enabled', i.enabled),
           null::timestamptz
    from santral.inbox i
    where $1 = 'inbox' and i.path_token = $2
$$
"""


def upgrade() -> None:
    op.execute("create sequence santral.outbox_position")
    for statement in Path(__file__).with_name("r0001_first.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)
    tables = [row[0] for row in op.get_bind().exec_driver_sql("select tablename from pg_tables where schemaname = 'santral'")]
    op.execute("grant usage on schema santral to santral_api, santral_worker")
    op.execute("grant usage on sequence santral.outbox_position to santral_api, santral_worker")
    for table in sorted(tables):
        if table == "revision":
            op.execute("grant select on santral.revision to santral_api, santral_worker")
            continue
        name = f'santral."{table}"'
        rights = "select, insert" if table in _APPEND_ONLY else "select, insert, update, delete"
        op.execute(f"grant {rights} on {name} to santral_worker")
        if table in _WITHOUT_WORKSPACE:
            continue
        op.execute(f"grant {rights} on {name} to santral_api")
        op.execute(f"alter table {name} enable row level security")
        op.execute(f"alter table {name} force row level security")
        for role in ("santral_worker", "santral_owner"):
            op.execute(f"create policy {table}_{role} on {name} to {role} using (true) with check (true)")
        own = "workspace_id = nullif(current_setting('app.workspace', true), '')::uuid"
        op.execute(f"create policy {table}_santral_api on {name} to santral_api using ({own}) with check ({own})")
    op.execute(_DEFINER)
    op.execute("revoke all on function santral.credential(text, text) from public")
    op.execute("grant execute on function santral.credential(text, text) to santral_api")
    op.execute("grant select on santral.deployment to santral_api")
    op.execute("insert into santral.deployment (incarnation) values (gen_random_uuid())")
