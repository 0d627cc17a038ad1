"""Whose a file is that was kept for an answer; of several answers that name one it is everybody's, and goes with the last of them.

A file in an incoming message's folder, which the first release let an answer name, stays the message's. What was kept and not sent yet
is kept again. A release that knows no such rows would let files of its answers run out, so none runs on this.
"""

from __future__ import annotations

from pathlib import Path

from services.schema.migrations.schema import run_statements, secure

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

WORKS_WITH = "0018"


def upgrade() -> None:
    run_statements(Path(__file__))
    secure(["kept_file"])
