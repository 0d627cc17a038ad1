"""`santral topics`: the two Kafka topics compared and made; the operator's word when the cluster or what it retained changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer

from services.cli.console import say
from services.frame.settings import Settings, read_settings
from services.schema.positions import accept_cluster, accept_loss
from shared.database import Database
from shared.errors import InputRejected
from shared.kafka_topics import ensure_topics, plan_topics

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Adds the group."""
    group = typer.Typer(help="The Kafka topics: compare, make, confirm.", no_args_is_help=True)
    group.command("plan", help="Show what differs from what is needed; change nothing.")(_plan)
    group.command(
        "apply", help="Make the topics that are missing, complete those never written to. What holds records stays as it is."
    )(_apply)
    group.command("accept-cluster", help="Confirm that the database moves to the Kafka cluster that is configured now.")(_cluster)
    group.command("accept-loss", help="Confirm that what the log no longer holds is lost, so that intake goes on.")(_loss)
    app.add_typer(group, name="topics")


def _plan(as_json: Json = False) -> None:
    settings = read_settings()
    plans = asyncio.run(plan_topics(settings.kafka(), settings.topics()))
    if as_json:
        say(json.dumps([asdict(plan) for plan in plans]))
        return
    for plan in plans:
        say(f"{plan.topic}: {plan.state}")
        for difference in plan.differences:
            say(f"  {difference}")


def _apply() -> None:
    settings = read_settings()
    made = asyncio.run(ensure_topics(settings.kafka(), settings.topics()))
    say("\n".join(f"{name}: made" for name in made) or "Both topics are there.")


def _cluster(yes: Yes = False) -> None:
    _confirm(yes, "Messages that are only on the old cluster will not be taken in. Go on?")
    settings = read_settings()
    cluster = _with_database(settings, lambda db: accept_cluster(db, settings.kafka(), settings.topics().messages))
    say(f"The database belongs to the Kafka cluster {cluster} now.")


def _loss(yes: Yes = False) -> None:
    _confirm(yes, "What the log no longer holds will be given up, and a log that is another one read from its start. Go on?")
    settings = read_settings()
    lost = _with_database(settings, lambda db: accept_loss(db, settings.kafka(), settings.topics().messages))
    say(
        "\n".join(f"partition {one.partition}: {one.text}; read from the log's start from now on" for one in lost)
        or "Nothing is lost."
    )


def _confirm(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question):
        raise InputRejected("not confirmed; nothing was changed", field="--yes", remedy="answer y, or give --yes")


def _with_database(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    async def working() -> Result:
        db = await Database.open(settings.database("worker"), name="topics", pool_size=1)
        try:
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(working())
