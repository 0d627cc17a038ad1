"""The chain over the audit's rows: links, the anchor that expiry leaves, and expiry of linked rows only.

Links are written by the worker alone, and nobody may change or delete one: the owner's functions move the chain's beginning after expiry.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from services.schema.migrations.schema import run_statements, secure

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(["audit_link", "audit_anchor"], append_only=["audit_link", "audit_anchor"])
    op.execute("revoke insert on santral.audit_link from santral_api")
    op.execute("revoke insert on santral.audit_anchor from santral_api, santral_worker")
