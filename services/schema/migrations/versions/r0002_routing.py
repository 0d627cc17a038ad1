"""Routing: calendars and service level clocks, plans, shifts, predictions."""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORKS_WITH = "0002"

_NEW: tuple[str, ...] = ("calendar", "sla", "sla_clock", "plan", "agent_filter", "shift", "queue_pace")
_APPEND_ONLY: tuple[str, ...] = ()


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(_NEW, append_only=_APPEND_ONLY)
