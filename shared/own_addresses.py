"""Where a workspace receives itself: its inboxes' addresses, aliases and numbers, and those it lists. Asked once per workspace, not per inbox.

An entry is (kind, address, region): ``email`` or ``phone``, as it was configured, with the inbox's own country or null for the workspace's.
**Identity**: what each room makes of an entry (a mailbox, a comparable number, a handle). A workspace's are at most `OWN_ADDRESSES_MAX`.
"""

from __future__ import annotations

from typing import Final

OWN_ADDRESSES_MAX: Final = 10_000
"""More are refused when they are saved; of those that were saved before, the inboxes' addresses count first, then the listed ones."""
OWN_ADDRESSES: Final = f"""
(select coalesce(jsonb_agg(jsonb_build_array(own.kind, own.address, own.region)), '[]') from (
    select given.kind, given.address, given.region from (
        select x.channel as kind, x.address, x.settings->>'region' as region, 0 as place, x.created_at, x.id from santral.inbox x
        where x.workspace_id = w.id and x.channel in ('email', 'phone')
        union all
        select case when position('@' in a) > 0 then 'email' else 'phone' end, a, null, 1, w.created_at, w.id
        from jsonb_array_elements_text(
            case when jsonb_typeof(w.settings->'own_addresses') = 'array' then w.settings->'own_addresses' else '[]' end) a
        union all
        select x.channel, a, x.settings->>'region', 2, x.created_at, x.id
        from santral.inbox x
        cross join lateral (select case when x.channel = 'phone' then x.settings->'numbers'
                                        when x.provider = 'smtp' then x.settings->'aliases' end as listed) more
        cross join lateral jsonb_array_elements_text(case when jsonb_typeof(more.listed) = 'array' then more.listed else '[]' end) a
        where x.workspace_id = w.id and x.channel in ('email', 'phone')
    ) given
    where given.address > '' order by given.place, given.created_at, given.id limit {OWN_ADDRESSES_MAX + 1}
) own)
"""
"""The entries of a workspace, for statements that call it ``w``; one more than the bound tells that there are more."""
