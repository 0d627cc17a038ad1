"""`santral quarantine`: what could not be understood, and taking it in again after a repair."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from services.cli.console import say
from services.client.rest_client import RestClient
from shared.errors import InputRejected, SantralError

Url = Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")]
ApiKey = Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with quarantine:read, for replay quarantine:write.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="What could not be understood: list, show, replay.", no_args_is_help=True)
    group.command("list", help="Open entries, newest first.")(_list)
    group.command("show", help="One entry with its bytes and reason.")(_show)
    group.command("replay", help="Take entries in again; --all for every open one.")(_replay)
    app.add_typer(group, name="quarantine")


def _run(url: str, api_key: str, work: Callable[[RestClient], Awaitable[Any]]) -> Any:
    if not api_key:
        raise InputRejected("no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY")

    async def connected() -> Any:
        async with RestClient(url, api_key) as client:
            return await work(client)

    return asyncio.run(connected())


async def _all(client: RestClient) -> list[dict[str, Any]]:
    return [entry async for entry in client.pages("/v1/quarantine")]


def _list(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: Json = False) -> None:
    entries = _run(url, api_key, _all)
    if as_json:
        say(json.dumps(entries, ensure_ascii=False))
        return
    for entry in entries:
        say(f"{entry['id']}  {entry['quarantined_at']}  {entry['reason']}")
    say(f"{len(entries)} open" if entries else "Nothing is in quarantine.")


def _show(entry_id: str, url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: Json = False) -> None:
    entry = _run(url, api_key, lambda client: client.call("GET", f"/v1/quarantine/{entry_id}"))
    if as_json:
        say(json.dumps(entry, ensure_ascii=False))
        return
    for name, value in entry.items():
        if name not in ("record", "original"):
            say(f"{name}: {value}")
    content = entry.get("original") or entry.get("record")
    if content:
        say("\n" + base64.b64decode(content).decode("utf-8", "backslashreplace")[:10_000])


def _replay(
    entry_id: Annotated[str | None, typer.Argument(help="The entry's id.")] = None,
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    every: Annotated[bool, typer.Option("--all", help="Every open entry.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say whether it would be understood now.")] = False,
) -> None:
    if (entry_id is None) != every:
        raise InputRejected("one entry, or all of them", field="ENTRY_ID", remedy="name an id, or give --all")

    async def work(client: RestClient) -> tuple[int, int]:
        ids = [entry["id"] for entry in await _all(client)] if every else [entry_id]
        taken = 0
        for one in ids:
            try:
                answer = await client.call("POST", f"/v1/quarantine/{one}/replay", {"dry_run": dry_run})
            except SantralError as error:
                say(f"{one}  stays: {error}")
                continue
            taken += 1
            say(f"{one}  {answer.get('state', 'replayed')}")
        return taken, len(ids)

    taken, total = _run(url, api_key, work)
    say(f"{taken} of {total} {'would be taken in' if dry_run else 'taken in again'}")
