"""`santral export`: the workspace as the file that would make it, secrets as the names of environment variables to set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from services.client.rest_client import RestClient
from services.client.workspace_file import LISTS

_LEFT_OUT: Final = frozenset(
    {
        "id",
        "version",
        "managed_digest",
        "presence",
        "presences",
        "off_shift",
        "warnings",
        "used",
        "counts",
        "webhook_path",
        "secrets_made",
        "widget_token",
        "secrets",
    }
)


async def export_workspace(*, url: str, api_key: str) -> str:
    """The YAML of the workspace; applying it to the same workspace changes nothing but the secrets it names."""
    document: dict[str, Any] = {}
    async with RestClient(url, api_key) as client:
        workspace = await client.call("GET", "/v1/workspace")
        document["workspace"] = {"title": workspace["title"], "settings": workspace["settings"]}
        for section in LISTS:
            entries = [_entry(section, one) async for one in client.pages(f"/v1/{section}")]
            if entries:
                document[section] = entries
        active = await client.call("GET", "/v1/policies/active")
        if active is not None:
            document["policy"] = active["document"]
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


def _entry(section: str, one: Mapping[str, Any]) -> dict[str, Any]:
    names = one.get("secrets_set") or []
    entry = {
        key: value for key, value in one.items() if key not in _LEFT_OUT and key != "secrets_set" and value not in (None, {}, [])
    }
    entry = {"name": entry.pop("name"), **entry}
    if names:
        stem = f"SANTRAL_{section}_{one['name']}".upper().replace("-", "_").replace(".", "_")
        entry["secrets"] = {name: {"env": f"{stem}_{name.upper()}"} for name in names}
    return entry
