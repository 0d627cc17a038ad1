"""Whose turn it is among the jobs of all workspaces: drawn by lot, so that what one asks for in masses makes no other wait behind it.

**Identity** of a job: its table, workspace and id.
"""

from __future__ import annotations


def drawn_workspace(table: str, due: str) -> str:
    """SQL of one workspace's id, drawn among those that have such rows; asked once in a statement.

    ``table`` and ``due``, a condition on its rows, are the caller's own words, never anybody's input.
    """
    return f"(select workspace_id from (select distinct workspace_id from santral.{table} where {due}) waiting order by random() limit 1)"
