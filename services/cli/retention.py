"""`santral retention`: what a workspace's days would remove now, and letting it run."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from services.cli.profiles import AsJson, Url, connected

ApiKey = Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with config:read, for run config:write.")]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="What is kept for how long.", no_args_is_help=True)
    group.command("plan", help="Count what a run would remove; nothing is changed.")(_plan)
    group.command("run", help="Let the courier run now.")(_run)
    app.add_typer(group, name="retention")


def _plan(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    _show(connected(url, api_key, lambda client: client.call("GET", "/v1/retention/plan")), as_json)


def _run(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    _show(connected(url, api_key, lambda client: client.call("POST", "/v1/retention/run")), as_json)


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer))
        return
    for one in answer["items"]:
        typer.echo(f"{one['class']:<12} {one['rows']:>10} rows older than {one['days']} days")
    if not answer["items"]:
        typer.echo("Nothing is removed: the workspace's settings name no class under retention.")
