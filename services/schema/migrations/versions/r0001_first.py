"""The first schema: every table, row-level security on each, the runtime roles' rights, the one definer function.

The audit and the placements can only grow.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from services.schema.migrations.schema import run_statements, secure

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WORKS_WITH = "0001"

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
    run_statements(Path(__file__))
    tables = {row[0] for row in op.get_bind().exec_driver_sql("select tablename from pg_tables where schemaname = 'santral'")}
    op.execute("grant usage on schema santral to santral_api, santral_worker")
    op.execute("grant usage on sequence santral.outbox_position to santral_api, santral_worker")
    op.execute("grant select on santral.revision to santral_api, santral_worker")
    secure(tables - {"revision"}, append_only=_APPEND_ONLY, without_workspace=_WITHOUT_WORKSPACE)
    op.execute(_DEFINER)
    op.execute("revoke all on function santral.credential(text, text) from public")
    op.execute("grant execute on function santral.credential(text, text) to santral_api")
    op.execute("grant select on santral.deployment to santral_api")
    op.execute("insert into santral.deployment (incarnation) values (gen_random_uuid())")
