"""`santral profiles erase` and `export-person`: a person's data removed for good, or handed over as an archive."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.profiles import ApiKey, AsJson, Person, Url, connected, handle_id_of
from services.client.rest_client import RestClient
from shared.errors import Unavailable

LOOK_S: Final = 0.5
_URL: Final = "http://127.0.0.1:8080"
Why = Annotated[str, typer.Option("--reason", help="not_needed, consent_withdrawn, objected, unlawful, law or child.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: nothing brings the person back.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]
Out = Annotated[Path, typer.Option("--out", help="The archive to write.")]


def add_to(group: typer.Typer) -> None:
    """Adds the two commands."""
    group.command("erase", help="Erase a person for good.")(_erase)
    group.command("export-person", help="Everything about a person, as a ZIP.")(_export)


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
        typer.echo(json.dumps(confirmation))
        return
    typer.echo(f"erasure {confirmation['id']}: {confirmation['state']}")
    if confirmation["log_ends_at"]:
        typer.echo(f"the messages topic holds nothing of them after {confirmation['log_ends_at']}")


def _export(person: Person, out: Out = Path("person.zip"), url: Url = _URL, api_key: ApiKey = "") -> None:
    """Waits for the courier, then writes the archive; the key needs profiles:export."""

    async def work(client: RestClient) -> bytes:
        profile = await handle_id_of(client, person)
        asked = await client.call("POST", f"/v1/profiles/{profile}/export")
        await _done(client, f"/v1/exports/{asked['id']}")
        return await client.download(f"/v1/exports/{asked['id']}/file")

    out.write_bytes(connected(url, api_key, work))
    typer.echo(f"written: {out}")


async def _done(client: RestClient, path: str) -> Any:
    while True:
        shown = await client.call("GET", path)
        if shown["state"] == "done":
            return shown
        if shown["state"] in ("failed", "expired"):
            raise Unavailable(f"the export is {shown['state']}", remedy="see the courier's log, then ask again")
        await asyncio.sleep(LOOK_S)
