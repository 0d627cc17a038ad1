"""`santral traffic`: believable customers, through a running deployment's real entrances; demo and smoke load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.console import say
from services.client.rest_client import RestClient
from services.traffic.deployment import Addresses, Entrances, find_entrances, read_ready_file
from services.traffic.people import CHANNELS, Channel, happenings
from services.traffic.run import Count, send_traffic
from services.traffic.senders import ChatSender, HttpSender, MailSender, Sender
from shared.clock import SystemClock
from shared.errors import InputRejected

_DURATION: Final = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600}
_REASONS: Final = 3
_LINE_EVERY_S: Final = 5.0
Counts = dict[Channel, Count]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command(
        "traffic", help="Send believable Turkish and English messages through every channel. Status 1 when any is not taken."
    )
    def command(
        rate: Annotated[float, typer.Option(min=0.01, max=5000, help="Messages a second.")] = 20,
        duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 60s, 5m, 1h.")] = "60s",
        ready_file: Annotated[Path | None, typer.Option(help="The file that santral serve --ready-file writes.")] = None,
        url: Annotated[str | None, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")] = None,
        webhook_url: Annotated[str | None, typer.Option(envvar="SANTRAL_WEBHOOK_URL", help="Where webhooks are.")] = None,
        smtp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where mail is taken.")] = None,
        key: Annotated[
            str, typer.Option("--key", "--api-key", envvar="SANTRAL_API_KEY", help="Needs config:read, messages:write.")
        ] = "",
        meta_secret: Annotated[
            str | None, typer.Option(envvar="SANTRAL_TRAFFIC_META_SECRET", help="The connection's app_secret.")
        ] = None,
        cdr_secret: Annotated[
            str | None, typer.Option(envvar="SANTRAL_TRAFFIC_CDR_SECRET", help="The telephone inbox's post_secret.")
        ] = None,
        channels: Annotated[str, typer.Option(help="Only these: mail,chat,api,phone,social.")] = ",".join(CHANNELS),
        seed: Annotated[int, typer.Option(help="The same seed, the same people and texts.")] = 1,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    ) -> None:
        facts = read_ready_file(ready_file) if ready_file else {}
        addresses = Addresses(
            http=url or facts.get("http", "http://127.0.0.1:8080"),
            webhooks=webhook_url or facts.get("webhooks", "http://127.0.0.1:8081"),
            smtp=_smtp(smtp or facts.get("smtp", "127.0.0.1:2525")),
            api_key=key or facts.get("api_key", ""),
        )
        if not addresses.api_key:
            raise InputRejected("no API key", field="--key", remedy="give it, set SANTRAL_API_KEY, or name a --ready-file")
        for_s = _seconds(duration)
        with _progress(rate * for_s, quiet=as_json) as (counts, show, say):
            asyncio.run(
                _run(
                    addresses, _channels(channels), rate=rate, for_s=for_s, seed=seed, meta_secret=meta_secret,
                    cdr_secret=cdr_secret, told=facts.get("secrets", {}), counts=counts, show=show, say=say,
                )
            )  # fmt: skip
        _summary(counts, as_json=as_json)
        if any(count.refused or count.errors for count in counts.values()):
            raise typer.Exit(1)


def _smtp(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise InputRejected(f"{text} is not an address", field="--smtp", remedy="HOST:PORT")
    return text


def _seconds(text: str) -> float:
    found = _DURATION.match(text)
    if found is None:
        raise InputRejected(f"{text} is not a time", field="--for", remedy="60s, 5m or 1h")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


def _channels(text: str) -> tuple[Channel, ...]:
    asked = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in asked if one not in CHANNELS]
    if unknown or not asked:
        raise InputRejected(f"no such channel: {', '.join(unknown) or text}", field="--channels", remedy=", ".join(CHANNELS))
    return tuple(cast(Channel, one) for one in dict.fromkeys(asked))


async def _run(
    addresses: Addresses, asked: Sequence[Channel], *, rate: float, for_s: float, seed: int, meta_secret: str | None,
    cdr_secret: str | None, told: Mapping[str, Mapping[str, str]], counts: Counts, show: Callable[[], None],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    async with RestClient(addresses.http, addresses.api_key) as client:
        entrances = await find_entrances(client, addresses.webhooks, meta_secret=meta_secret, cdr_secret=cdr_secret, told=told)
    for channel in asked:
        if channel in entrances.closed:
            say(f"{channel} is left out: {entrances.closed[channel]}")
    channels = tuple(channel for channel in asked if channel in entrances.open)
    if not channels:
        raise InputRejected("no channel can be used", field="--channels", remedy="make an inbox, or give the secrets named above")
    counts.update({channel: Count() for channel in channels})
    senders, all_senders = _senders(addresses, entrances, channels, meta_secret=meta_secret)
    try:
        await send_traffic(happenings(seed, channels), senders, rate=rate, for_s=for_s, seed=seed, counts=counts, show=show)
    finally:
        for sender in all_senders:
            await sender.close()


def _senders(
    addresses: Addresses, entrances: Entrances, channels: Sequence[Channel], *, meta_secret: str | None
) -> tuple[Mapping[Channel, Sender], Sequence[Sender]]:
    tag, clock = f"t{secrets.token_hex(5)}", SystemClock()
    posts = HttpSender(addresses, entrances, tag=tag, clock=clock, meta_secret=meta_secret)
    found: dict[Channel, Sender] = {channel: posts for channel in channels if channel in ("api", "phone", "social")}
    if "mail" in channels and entrances.mailbox:
        found["mail"] = MailSender(addresses, entrances.mailbox, tag=tag, clock=clock)
    if "chat" in channels and entrances.widget_token:
        found["chat"] = ChatSender(addresses, entrances.widget_token)
    return found, [posts, *(sender for sender in found.values() if sender is not posts)]


@contextlib.contextmanager
def _progress(expected: float, *, quiet: bool) -> Iterator[tuple[Counts, Callable[[], None], Callable[[str], None]]]:
    """A bar on a terminal, a plain line each five seconds elsewhere; with ``quiet`` on standard error, out of the JSON's way."""
    counts: Counts = {}
    stream = sys.stderr if quiet else sys.stdout

    def done() -> int:
        return sum(count.accepted + count.refused + count.errors for count in counts.values())

    if stream.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} answered"), TimeElapsedColumn())
        with Progress(*columns, console=Console(file=stream)) as bar:
            task = bar.add_task("sending", total=expected)
            yield counts, lambda: bar.update(task, completed=done()), lambda text: bar.console.print(text, markup=False)
        return
    told = {"at_s": time.monotonic()}

    def show() -> None:
        if time.monotonic() - told["at_s"] >= _LINE_EVERY_S:
            told["at_s"] = time.monotonic()
            print(f"{done()} of about {expected:.0f} answered", file=stream, flush=True)

    yield counts, show, lambda text: print(text, file=stream, flush=True)


def _summary(counts: Counts, *, as_json: bool) -> None:
    rows = {channel: count.shown() for channel, count in counts.items()}
    reasons = {channel: dict(count.reasons.most_common(_REASONS)) for channel, count in counts.items() if count.reasons}
    if as_json:
        say(json.dumps({"channels": rows, "reasons": reasons}, ensure_ascii=False))
        return
    table = Table("channel", "sent", "accepted", "refused", "errors", "p50 ms", "p99 ms")
    for column in table.columns[1:]:
        column.justify = "right"
    for channel, row in rows.items():
        table.add_row(channel, *("-" if value is None else str(value) for value in row.values()))
    Console().print(table)
    for channel, told in reasons.items():
        for reason, times in told.items():
            say(f"{channel}: {times} × {reason}")
