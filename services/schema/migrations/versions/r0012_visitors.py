"""Whose an anonymous visitor's chat became when they signed in; whether a session was ever written in."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WORKS_WITH = "0004"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(["visitor_join"])
