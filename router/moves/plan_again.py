"""The plan of an item that comes back: the one it had, or its queue's of today where filters that it names are gone meanwhile."""

from __future__ import annotations

from typing import Final

PLAN_AGAIN: Final = """
case when exists (
    select from jsonb_path_query(i.plan, '$[*].skills.keyvalue() ? (@.key starts with "?")') named
    where not exists (
        select from santral.agent_filter f where f.workspace_id = i.workspace_id and f.name = named->>'key' for key share of f)
) then coalesce((select t.plan from santral.queue t where t.workspace_id = i.workspace_id and t.id = i.queue_id), '[]') else i.plan end
"""
"""An expression over a row ``i`` of `work_item`. The filters are held, so that they stay until the item stands (`unused_filters.py`)."""
