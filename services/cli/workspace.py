"""`santral apply` and `santral export`: a workspace as a file, both ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from services.api.workspace_schema import workspace_schema
from services.cli.console import say
from services.client.apply import ApplyResult, Step, apply_file
from services.client.export import export_workspace
from services.client.workspace_file import read_workspace_file
from shared.errors import InputRejected, SantralError

Url = Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")]
ApiKey = Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="An admin key.")]
_SIGNS = {"create": "+", "change": "~", "adopt": "=", "same": " ", "delete": "-", "left": "?", "by_hand": "!"}


def register(app: typer.Typer) -> None:
    """Adds both commands."""

    @app.command("apply", help="Make a workspace what a file says. Idempotent; deletes only with --prune.")
    def apply(
        file: Annotated[Path | None, typer.Argument(help="The YAML file.")] = None,
        url: Url = "http://127.0.0.1:8080",
        api_key: ApiKey = "",
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")] = False,
        prune: Annotated[bool, typer.Option("--prune", help="Delete what an earlier file made and this one leaves out.")] = False,
        take_over: Annotated[bool, typer.Option("--take-over", help="Overwrite what was changed by hand.")] = False,
        schema: Annotated[bool, typer.Option("--schema", help="Print the file's JSON Schema.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        if schema:
            say(json.dumps(workspace_schema(), indent=1, ensure_ascii=False))
            return
        if file is None:
            raise InputRejected("no file was named", field="FILE", remedy="santral apply workspace.yaml")
        told: list[Step] = []
        try:
            done = asyncio.run(
                apply_file(
                    read_workspace_file(file), url=url, api_key=_key(api_key), prune=prune, dry_run=dry_run, take_over=take_over,
                    progress=told.append if as_json else _say,
                )
            )  # fmt: skip
        except SantralError:
            if told:  # what was done before it stopped, with secrets that nobody tells again
                _say_json(told)
            raise
        if as_json:
            _say_json(done.steps)
        elif dry_run:
            for step in done.steps:
                _say(step)
        if not as_json:
            _sum_up(done, dry_run=dry_run)

    @app.command("export", help="Print the workspace as a file that `apply` takes.")
    def export(url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "") -> None:
        say(asyncio.run(export_workspace(url=url, api_key=_key(api_key))), nl=False)


def _key(given: str) -> str:
    if not given:
        raise InputRejected("no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY")
    return given


def _say(step: Step) -> None:
    if step.action == "same":
        return
    differences = f"  ({', '.join(step.differences)})" if step.differences else ""
    notes = {"left": "  not in the file; --prune deletes it", "by_hand": "  changed by hand; --take-over overwrites it"}
    say(f"{_SIGNS[step.action]} {step.section}/{step.name}{differences}{notes.get(step.action, '')}")
    for name, secret in step.secrets_made.items():
        say(f"    {name}, made now and never shown again: {secret}")


def _say_json(steps: Sequence[Step]) -> None:
    say(json.dumps([asdict(step) for step in steps], ensure_ascii=False))


def _sum_up(done: ApplyResult, *, dry_run: bool) -> None:
    same = sum(1 for step in done.steps if step.action == "same")
    say(f"{'would change' if dry_run else 'changed'} {done.changes}, unchanged {same}")
