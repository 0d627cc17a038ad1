"""`santral profiles erase`, `export-person`, `hold` and `lift`: a person's data removed for good, handed over, or kept from being removed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.cli.console import say
from services.cli.profiles import ApiKey, AsJson, Person, Url, connected, handle_id_of
from services.client.private_file import require_folder, write_private_bytes
from services.client.rest_client import RestClient
from shared.errors import Unavailable

LOOK_S: Final = 0.5
_URL: Final = "http://127.0.0.1:8080"
Why = Annotated[str, typer.Option("--reason", help="not_needed, consent_withdrawn, objected, unlawful, law or child.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: nothing brings the person back.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]
Until = Annotated[
    str, typer.Option("--until", help="When it ends by itself, like 2027-03-01T00:00:00Z; else it is lifted by hand.")
]
Out = Annotated[Path, typer.Option("--out", help="The archive to write.")]


def add_to(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("erase", help="Erase a person for good.")(_erase)
    group.command("export-person", help="Everything about a person, as a ZIP.")(_export)
    group.command("hold", help="Keep everything of a person from being removed: a legal hold.")(_hold)
    group.command("lift", help="Lift a legal hold.")(_lift)


def _erase(
    person: Person,
    reason: Why,
    yes: Yes = False,
    wait: Wait = False,
    url: Url = _URL,
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    """The confirmation goes to the output; the key needs profiles:erase."""
    if not yes:
        typer.confirm(f"Erase {person} for good?", abort=True)

    async def work(client: RestClient) -> Any:
        profile = await handle_id_of(client, person)
        confirmation = await client.call("POST", f"/v1/profiles/{profile}/erase", {"reason": reason, "confirm": profile})
        return await _done(client, f"/v1/erasures/{confirmation['id']}") if wait else confirmation

    confirmation = connected(url, api_key, work)
    if as_json:
        say(json.dumps(confirmation))
        return
    waits = ", waits for the end of a legal hold (GET /v1/holds) and goes on by itself" if confirmation["state"] == "held" else ""
    say(f"erasure {confirmation['id']}: {confirmation['state']}{waits}")
    if confirmation["log_ends_at"]:
        say(f"the messages topic holds nothing of them after {confirmation['log_ends_at']}")


def _export(person: Person, out: Out = Path("person.zip"), url: Url = _URL, api_key: ApiKey = "") -> None:
    """Waits for the courier, then writes the archive, for this account only; the key needs profiles:export."""

    async def work(client: RestClient) -> bytes:
        profile = await handle_id_of(client, person)
        asked = await client.call("POST", f"/v1/profiles/{profile}/export")
        await _done(client, f"/v1/exports/{asked['id']}")
        return await client.download(f"/v1/exports/{asked['id']}/file")

    require_folder(out, field="--out")
    write_private_bytes(out, connected(url, api_key, work))
    say(f"written: {out}")


def _hold(
    person: Person,
    reason: Annotated[str, typer.Option("--reason", help="Why, at most 500 characters.")],
    until: Until = "",
    url: Url = _URL,
    api_key: ApiKey = "",
) -> None:
    """The hold's id goes to the output; the key needs holds:write, and profiles:read for a handle."""

    async def work(client: RestClient) -> Any:
        subject = await handle_id_of(client, person)
        return await client.call(
            "POST", "/v1/holds", {"kind": "person", "subject_id": subject, "reason": reason, "until": until or None}
        )

    say(connected(url, api_key, work)["id"])


def _lift(hold: Annotated[UUID, typer.Argument(help="The hold's id.")], url: Url = _URL, api_key: ApiKey = "") -> None:
    """Twice is harmless; the key needs holds:write."""
    connected(url, api_key, lambda client: client.call("DELETE", f"/v1/holds/{hold}"))


async def _done(client: RestClient, path: str) -> Any:
    while True:
        shown = await client.call("GET", path)
        if shown["state"] in ("done", "held"):
            return shown
        if shown["state"] in ("failed", "expired"):
            raise Unavailable(f"the export is {shown['state']}", remedy="see the courier's log, then ask again")
        await asyncio.sleep(LOOK_S)
