"""`santral ingest cdr`: a telephone exchange's call records, as far as they are written and as they grow."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.client.cdr_follower import Follow, Say, Show, Standing, follow_cdr
from services.client.rest_client import RestClient
from shared.errors import InputRejected

_LINE_EVERY_S: Final = 5.0


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="Bring in what other programs write.", no_args_is_help=True)
    group.callback()(_ingest)
    group.command("cdr", help="Asterisk's Master.csv: each call once and whole; run it again, or with --follow, for what is new.")(
        _cdr
    )
    app.add_typer(group, name="ingest")


def _ingest() -> None:
    """Bring in what other programs write."""


def _cdr(
    file: Annotated[Path, typer.Argument(help="The CSV file, as cdr_csv writes it.")],
    inbox: Annotated[str, typer.Option(help="The inbox (provider asterisk) that takes the calls.")],
    url: Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")] = "http://127.0.0.1:8080",
    key: Annotated[
        str, typer.Option("--key", "--api-key", envvar="SANTRAL_API_KEY", help="A key with config:read and config:write.")
    ] = "",
    webhook_url: Annotated[
        str, typer.Option(envvar="SANTRAL_WEBHOOK_URL", help="Where the gateway's webhooks are.")
    ] = "http://127.0.0.1:8081",
    follow: Annotated[bool, typer.Option("--follow", help="Stay, and post rows as they are written. Ctrl-C stops.")] = False,
    secret: Annotated[str | None, typer.Option(metavar="NAME", help="The variable that holds the inbox's post_secret.")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="The file that holds the inbox's post_secret.")] = None,
    source: Annotated[str | None, typer.Option(help="The name its place is kept under (default: this machine and path).")] = None,
) -> None:
    if not key:
        raise InputRejected("no API key", field="--key", remedy="give it, or set SANTRAL_API_KEY")
    path = file.absolute()
    asked = Follow(
        file=path, inbox=inbox, source=source or _source(path), webhook_url=webhook_url, secret=_secret(secret, secret_file),
        follow=follow,
    )  # fmt: skip

    async def run(show: Show, say: Say) -> Standing:
        async with RestClient(url, key) as client:
            return await follow_cdr(asked, client, show=show, say=say)

    with _progress() as (show, say):
        done = asyncio.run(run(show, say))
    say(_sentence(done))
    if done.incomplete_bytes:
        say("The last line is not complete yet; it is taken when this runs again.")


def _source(path: Path) -> str:
    return "cdr-" + hashlib.sha256(f"{socket.gethostname()}:{path}".encode()).hexdigest()[:16]


def _secret(name: str | None, file: Path | None) -> str | None:
    if name is not None:
        if not os.environ.get(name):
            raise InputRejected(f"the variable {name} is not set", field="--secret", remedy="export it, or use --secret-file")
        return os.environ[name]
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputRejected(f"{file}: {error.strerror}", field="--secret-file", remedy="name a readable file") from error


def _sentence(standing: Standing) -> str:
    amended = f", {standing.amended} amended" if standing.amended else ""
    waiting = f", {standing.waiting} not settled yet" if standing.waiting else ""
    return f"{standing.calls} calls posted of {standing.rows} rows{amended}{waiting}"


@contextlib.contextmanager
def _progress() -> Iterator[tuple[Show, Say]]:
    """On a terminal a bar over the file's bytes; elsewhere a plain line at most every five seconds."""
    if sys.stdout.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
        with Progress(*columns, console=Console()) as bar:
            task = bar.add_task("reading")
            yield (
                lambda now: bar.update(task, total=now.size, completed=now.position, description=_sentence(now)),
                lambda text: bar.console.print(text, markup=False, highlight=False),
            )
        return
    told = {"at_s": time.monotonic(), "line": 0.0}

    def show(now: Standing) -> None:
        if time.monotonic() - told["at_s"] >= _LINE_EVERY_S and told["line"] != now.rows:
            told.update(at_s=time.monotonic(), line=now.rows)
            print(f"{_sentence(now)} ({now.position} of {now.size} bytes)", flush=True)

    yield show, lambda text: print(text, flush=True)
