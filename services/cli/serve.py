"""`santral serve`: everything on this machine, with nothing to configure."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.frame.settings import read_settings
from services.supervisor.folder import default_folder
from services.supervisor.progress import console_progress
from services.supervisor.serve import ServeOptions, serve
from shared.logs import configure_logs


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("serve", help="Run everything here: PostgreSQL, Apache Kafka, gateway, router, api, courier. Ctrl-C stops it.")
    def command(
        demo: Annotated[bool, typer.Option("--demo", help="With a demo workspace: a shop, agents, a mailbox.")] = False,
        data: Annotated[Path | None, typer.Option(help="The data folder (default: this account's data folder).")] = None,
        port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port of pages and API; 0 takes a free one.")] = None,
        ready_file: Annotated[Path | None, typer.Option(help="Write addresses and keys here when everything is ready.")] = None,
        smtp_relay: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where outgoing mail goes.")] = None,
        strict: Annotated[bool, typer.Option("--strict", help="An unknown SANTRAL_ variable is an error.")] = False,
    ) -> None:
        configure_logs("serve", form="console", level="info")
        options = ServeOptions(
            demo=demo,
            folder=(data or default_folder(os.environ)).absolute(),
            port=port,
            ready_file=ready_file.absolute() if ready_file else None,
            smtp_relay=smtp_relay,
        )
        with console_progress(sys.stdout) as progress:
            asyncio.run(serve(options, read_settings(strict=strict), os.environ, progress))
