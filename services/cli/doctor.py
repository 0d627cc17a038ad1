"""`santral doctor`: a line for everything that must work, and what to do where it does not."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from services.doctor.doctor import examine, settings_of_folder
from services.doctor.finding import Finding
from services.frame.settings import read_settings
from services.supervisor.folder import default_folder
from shared.logs import configure_logs

_COLOURS: Final = {"OK": typer.colors.GREEN, "WARN": typer.colors.YELLOW, "FAIL": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command(
        "doctor", help="Say what is configured, reachable, lagging, and what to do about it. Status 1 when something fails."
    )
    def command(
        data: Annotated[Path | None, typer.Option(help="The data folder of a santral serve to look at.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        configure_logs("doctor", form="console", level="error")
        settings, folder = read_settings(), data
        if folder is None and not settings.database_url.get_secret_value() and (default_folder(os.environ) / "serve.json").exists():
            folder = default_folder(os.environ)
        if folder is not None:
            folder = folder.absolute()
            settings = settings_of_folder(folder, settings)
        found = asyncio.run(examine(settings, folder=folder))
        if as_json:
            typer.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
        else:
            _print(found)
        if any(finding.state == "FAIL" for finding in found):
            raise typer.Exit(1)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in found)
    for finding in found:
        typer.echo(f"{typer.style(f'{finding.state:<4}', fg=_COLOURS[finding.state])}  {finding.check:<{width}}  {finding.text}")
        if finding.state != "OK" and finding.remedy:
            typer.echo(f"{'':4}  {'':<{width}}  → {finding.remedy}")
    counts = {state: sum(1 for finding in found if finding.state == state) for state in _COLOURS}
    typer.echo(f"{counts['OK']} in order, {counts['WARN']} to look at, {counts['FAIL']} failing")
