"""`santral retention`: what a workspace's days would remove now, and letting it run."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from services.cli.console import say
from services.cli.profiles import AsJson, Url, connected
from services.client.rest_client import RestClient

ApiKey = Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with config:read, for run config:write, for use admin.")]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="What is kept for how long.", no_args_is_help=True)
    group.command("plan", help="Count what a run would remove; nothing is changed.")(_plan)
    group.command("run", help="Let the courier run now.")(_run)
    group.command("presets", help="Periods to begin with for a place, with why and where it is written; no legal advice.")(_presets)
    group.command("use", help="Take a preset's periods over, after showing what they would remove.")(_use)
    app.add_typer(group, name="retention")


def _plan(
    url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False,
    preset: Annotated[str, typer.Option(help="Count with a preset's periods in place of the workspace's.")] = "",
) -> None:  # fmt: skip
    _show(connected(url, api_key, lambda client: client.call("GET", _asked(preset))), as_json)


def _asked(preset: str) -> str:
    return f"/v1/retention/plan?{urlencode({'preset': preset})}" if preset else "/v1/retention/plan"


def _presets(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    answer = connected(url, api_key, lambda client: client.call("GET", "/v1/retention/presets"))
    if as_json:
        say(json.dumps(answer))
        return
    for preset in answer["items"]:
        say(f"{preset['name']}: {preset['title']}, as of {preset['as_of']}")
        for name, period in preset["periods"].items():
            say(f"  {name:<14} {period['days']:>5} days  {period['why']}\n{'':>28}{period['source']}")
    say("No legal advice: a company decides with its own lawyer. santral retention use NAME takes one over.")


def _use(
    preset: Annotated[str, typer.Argument(help="Its name, as `santral retention presets` says it.")],
    url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:  # fmt: skip
    planned = connected(url, api_key, lambda client: client.call("GET", _asked(preset)))
    _show(planned, as_json=False)
    if not yes:
        typer.confirm("The courier removes these within ten minutes, for good. Take the periods over?", abort=True)

    async def take(client: RestClient) -> None:
        workspace = await client.call("GET", "/v1/workspace")
        settings = {**workspace["settings"], "retention": {one["class"]: one["days"] for one in planned["items"]}}
        body = {"title": workspace["title"], "settings": settings, "managed_digest": workspace["managed_digest"]}
        await client.call("PUT", "/v1/workspace", body, **{"if-match": str(workspace["version"])})

    connected(url, api_key, take)
    say(f"The workspace keeps things as {preset} says from now on.")


def _run(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    _show(connected(url, api_key, lambda client: client.call("POST", "/v1/retention/run")), as_json)


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(json.dumps(answer))
        return
    for one in answer["items"]:
        say(f"{one['class']:<12} {one['rows']:>10} rows older than {one['days']} days")
    if not answer["items"]:
        say("Nothing is removed: the workspace's settings name no class under retention.")
