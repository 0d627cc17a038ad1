"""`santral decisions`: why a message went where it did, and the test that records give their own answers again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from services.cli.console import connected, say, say_progress, show_table
from services.cli.moments import moment
from services.client.rest_client import RestClient
from shared.errors import InputRejected

Url = Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")]
ApiKey = Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with conversations:read, to check config:read.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
URL: Final = "http://127.0.0.1:8080"
PORTION: Final = 2000


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="Why: decisions, and whether they re-evaluate to themselves.", no_args_is_help=True)
    group.command("show", help="One decision, or those of a message, an item or a conversation.")(_show)
    group.command("check", help="Ask decisions again: exit status 1 when one differs from its record.")(_check)
    app.add_typer(group, name="decisions")


def _show(
    decision: Annotated[str | None, typer.Argument(help="The decision's id.")] = None,
    message: Annotated[str | None, typer.Option("--message", help="A message's id.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="An item's id.")] = None,
    conversation: Annotated[str | None, typer.Option("--conversation", help="A conversation's id.")] = None,
    url: Url = URL, api_key: ApiKey = "", as_json: Json = False,
) -> None:  # fmt: skip
    given = {"message_id": message, "item_id": item, "conversation_id": conversation}
    asked = "&".join(f"{name}={value}" for name, value in given.items() if value)
    if bool(decision) == bool(asked):
        raise InputRejected("of what?", field="DECISION", remedy="name a decision, or give --message, --item or --conversation")

    async def work(client: RestClient) -> list[Any]:
        if decision:
            return [await client.call("GET", f"/v1/decisions/{decision}")]
        return [one async for one in client.pages(f"/v1/decisions?{asked}")]

    found = connected(url, api_key, work)
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        _print(one)


def _print(one: Mapping[str, Any]) -> None:
    record = one["record"]
    say(f"{one['id']}  {one['decided_at'][:19]}  {one['kind']}  policy {record.get('policy_version')}")
    if one["kind"] == "routing":
        say(f"  {record['summary']}")
        for name in ("boost_s", "class", "tags", "skills", "sla", "errors"):
            if record.get(name):
                say(f"  {name}: {record[name]}")
        return
    say(f"  queue {record.get('queue')}, step {record['step'] + 1}, waited {record['waited_s']} s, by {record['comparator']}")
    show_table(
        ["agent", "load", "idle s", "score"],
        [
            [other.get("name") or other["agent_id"], f"{other['load']:.0%}", f"{other['idle_s']:.0f}", other["score"]]
            for other in record["candidates"]
        ],
    )  # fmt: skip
    if record["excluded"]:
        say("  not considered: " + ", ".join(f"{count} {reason}" for reason, count in record["excluded"].items()))


def _check(
    decision: Annotated[str | None, typer.Argument(help="One decision's id; else a stretch of time.")] = None,
    since: Annotated[str, typer.Option("--since", help="From when: a time (ISO 8601), or 24h, 7d before now.")] = "24h",
    until: Annotated[str | None, typer.Option("--until", help="Until when; else now.")] = None,
    url: Url = URL, api_key: ApiKey = "", as_json: Json = False,
) -> None:  # fmt: skip
    if decision is not None:
        one = connected(url, api_key, lambda client: client.call("POST", f"/v1/decisions/{decision}/re-evaluate"))
        equal = one["equal"]
        found: dict[str, Any] = {
            "checked": 1,
            "equal": int(equal is True),
            "differing": int(equal is False),
            "not_possible": int(equal is None),
        }
        found["items"] = [one] if equal is False else []
    else:
        body = {"since": moment(since, "--since"), "until": moment(until, "--until") if until else datetime.now(UTC).isoformat()}
        found = connected(url, api_key, lambda client: _range(client, body))
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        for item in found["items"]:
            for one in item["differences"]:
                say(f"{item['id']}  {item['kind']}  {one['what']}: recorded {one['recorded']}, now {one['now']}")
        say(
            f"{found['checked']} checked, {found['equal']} equal, {found['differing']} differ, {found['not_possible']} cannot be asked again"
        )
    raise typer.Exit(1 if found["differing"] else 0)


async def _range(client: RestClient, body: Mapping[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {"checked": 0, "equal": 0, "differing": 0, "not_possible": 0, "items": []}
    cursor = None
    while True:
        part = await client.call("POST", "/v1/decisions/check", {**body, "limit": PORTION, "cursor": cursor})
        whole = {name: whole[name] + part[name] for name in whole}
        cursor = part["next"]
        say_progress("" if cursor is None else f"{whole['checked']} checked …")
        if cursor is None:
            return whole
