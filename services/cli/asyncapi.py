"""`santral asyncapi`: the AsyncAPI document of the two topics, on standard output."""

from __future__ import annotations

import json

import typer

from services.cli.console import say
from services.frame.settings import read_settings
from shared.asyncapi import asyncapi_document
from shared.hosts import release


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("asyncapi", help="Print the AsyncAPI 3 document of the Kafka topics.")
    def command() -> None:
        say(json.dumps(asyncapi_document(read_settings().topics(), version=release()), indent=1, ensure_ascii=False))
