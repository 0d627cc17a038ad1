"""`santral doctor`: a line for everything that must work, and what to do where it does not."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.console import plain, say
from services.doctor.audit_chain import witnesses
from services.doctor.doctor import examine, settings_of_folder
from services.doctor.finding import Finding
from services.doctor.where_data_goes import Map, Recipient, where_data_goes
from services.frame.settings import read_settings
from services.supervisor.folder import default_folder
from shared.logs import configure_logs

_ABROAD: Final = {True: "yes", False: "no", None: "unknown"}
_COLOURS: Final = {"OK": typer.colors.GREEN, "WARN": typer.colors.YELLOW, "FAIL": typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command(
        "doctor", help="Say what is configured, reachable, lagging, and what to do about it. Status 1 when something fails."
    )
    def command(
        data: Annotated[Path | None, typer.Option(help="The data folder of a santral serve to look at.")] = None,
        goes: Annotated[
            bool,
            typer.Option("--where-data-goes", help="Say instead who outside is sent personal data, for what, and whether abroad."),
        ] = False,
        witness: Annotated[
            list[str] | None,
            typer.Option(
                "--audit-witness", help="What this command said of an audit's chain before, to compare: workspace:number:digest."
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        configure_logs("doctor", form="console", level="error")
        settings, folder = read_settings(), data
        if folder is None and not settings.database_url.get_secret_value() and (default_folder(os.environ) / "serve.json").exists():
            folder = default_folder(os.environ)
        if folder is not None:
            folder = folder.absolute()
            settings = settings_of_folder(folder, settings)
        if goes:
            _tell(asyncio.run(where_data_goes(settings)), as_json=as_json)
            return
        found = asyncio.run(examine(settings, folder=folder, witnesses=witnesses(witness or ())))
        if as_json:
            say(json.dumps([asdict(finding) for finding in found], ensure_ascii=False))
        else:
            _print(found)
        if any(finding.state == "FAIL" for finding in found):
            raise typer.Exit(1)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in found)
    for finding in found:
        typer.echo(
            f"{typer.style(f'{finding.state:<4}', fg=_COLOURS[finding.state])}  {finding.check:<{width}}  {plain(finding.text)}"
        )
        if finding.state != "OK" and finding.remedy:
            say(f"{'':4}  {'':<{width}}  → {finding.remedy}")
    counts = {state: sum(1 for finding in found if finding.state == state) for state in _COLOURS}
    say(f"{counts['OK']} in order, {counts['WARN']} to look at, {counts['FAIL']} failing")


def _tell(told: Map, *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(asdict(told), ensure_ascii=False, default=str))
        return
    say("The operator's own servers, with all workspaces:")
    for recipient in told.deployment:
        say("\n".join(_lines(recipient)))
    for place in told.workspaces:
        rule = f"; transfers abroad: {place.rule}" if place.rule else ""
        say(f"{place.workspace}, region {place.region or 'not set'}{rule}")
        for recipient in place.recipients:
            say("\n".join(_lines(recipient)))
        if not place.recipients:
            say("  nobody outside the deployment")
    say(f"What providers say of themselves is as of {told.as_of}. No name was looked up, and this is no legal advice.")


def _lines(recipient: Recipient) -> Iterator[str]:
    yield f"  {recipient.recipient}" + (f" at {', '.join(recipient.hosts)}" if recipient.hosts else "")
    if recipient.inboxes:
        yield f"      inboxes  {', '.join(recipient.inboxes)}"
    yield f"      purpose  {recipient.purpose}"
    yield f"      data     {recipient.data}"
    yield f"      where    {recipient.where}; abroad: {_ABROAD[recipient.abroad]}"
    if recipient.source:
        yield f"      source   {recipient.source}"
