"""Rows as one JSON parameter: what ``jsonb_to_recordset`` is told of their columns, with the types of the table they are for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def recordset(parameter: str, table: sa.Table, *columns: str, **more: sa.types.TypeEngine[Any]) -> str:
    """The rows of ``parameter`` (``$1``) as ``n``: these columns of the table, and ``more`` by type. A row without one has null there."""
    typed = {name: table.c[name].type for name in columns} | more
    return f"jsonb_to_recordset({parameter}::jsonb) as n({', '.join(f'{name} {kind.compile(_DIALECT)}' for name, kind in typed.items())})"
