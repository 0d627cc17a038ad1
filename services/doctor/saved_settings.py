"""Settings that were saved before their formats were checked, and cannot be used: which, and what happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ingest.registry import adapter_for
from ingest.setting_formats import addresses_in, wrong_in, wrong_in_workspace
from services.doctor.finding import Finding, ok, warn
from services.frame.egress import SETTING, Allowed, is_providers
from shared.database import Database
from shared.errors import InputRejected

_SAVED: Final = """
select w.name as workspace, g.part, g.name, g.provider, g.settings from (
    select workspace_id, 'inbox' as part, name, provider, settings from santral.inbox
    union all select workspace_id, 'connection', name, provider, settings from santral.connection
    union all select workspace_id, 'workspace', '', '', settings from santral.workspace
) g join santral.workspace w on w.workspace_id = g.workspace_id order by 1, 2, 3
"""


async def look_at_saved_settings(db: Database, allowed: Allowed) -> Sequence[Finding]:
    """A line for each setting of an inbox, a connection or a workspace that would be refused today; never its value."""
    async with db.session() as connection:
        rows = await connection.fetch(_SAVED)
    found = [warn("settings", text, remedy) for row in rows for text, remedy in _wrong(dict(row), allowed)]
    return found or [ok("settings", "all that are saved can be used")]


def _wrong(row: Mapping[str, Any], allowed: Allowed) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do about it. Patterns and origins that cannot be used count as not set; calls wait for a time zone."""
    where = row["workspace"] if row["part"] == "workspace" else f"{row['workspace']}: {row['part']} {row['name']}"
    if row["part"] == "workspace":
        wrong = wrong_in_workspace(row["settings"])
    else:
        try:
            schema = adapter_for(row["provider"]).settings_schema().get(row["part"])
        except InputRejected:
            yield f"{where}: there is no channel {row['provider']} here", "install its distribution, or remove it"
            return
        if schema is None:
            return
        wrong = wrong_in(schema["settings"], row["settings"])
        for name, address in addresses_in(schema["settings"], row["settings"]):
            if not is_providers(address, adapter_for(row["provider"]).hosts, allowed):
                yield (
                    f"{where}: settings.{name} is not the provider's own address, and nothing is sent there",
                    f"take it out, or name its host in {SETTING}",
                )
    for one in wrong:
        field = f"settings.{one.field}" if one.field else "settings"
        yield f"{where}: {field} cannot be used: {one.message}", f"write it anew: {one.remedy}"
