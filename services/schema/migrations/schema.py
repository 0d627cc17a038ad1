"""What every revision does alike: run its statements, and put the rights and row-level security on the tables it made.

Row-level security: `santral_api` sees the workspace set in its transaction; `santral_worker` and `santral_owner` see all, because
their batches span workspaces and the owner is not a superuser, so FORCE binds it too. Tables without a workspace are out of
`santral_api`'s reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from alembic import op

_OWN: Final = "workspace_id = nullif(current_setting('app.workspace', true), '')::uuid"


def run_statements(revision: Path) -> None:
    """Runs the SQL file beside a revision, statement by statement; each ends with a semicolon at the end of a line."""
    for statement in revision.with_suffix(".sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            op.execute(statement)


def secure(tables: Iterable[str], *, append_only: Iterable[str] = (), without_workspace: Iterable[str] = ()) -> None:
    """Grants the runtime roles their rights on new tables and forces row-level security on those of a workspace."""
    for table in sorted(tables):
        name = f'santral."{table}"'
        rights = "select, insert" if table in append_only else "select, insert, update, delete"
        op.execute(f"grant {rights} on {name} to santral_worker")
        if table in without_workspace:
            continue
        op.execute(f"grant {rights} on {name} to santral_api")
        op.execute(f"alter table {name} enable row level security")
        op.execute(f"alter table {name} force row level security")
        for role in ("santral_worker", "santral_owner"):
            op.execute(f"create policy {table}_{role} on {name} to {role} using (true) with check (true)")
        op.execute(f"create policy {table}_santral_api on {name} to santral_api using ({_OWN}) with check ({_OWN})")
