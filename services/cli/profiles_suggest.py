"""`santral profiles train` and `suggest`: learn how telling a likeness is among one's own people, and look for duplicates with it."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Annotated, Any, Final

import typer

from profiles.suggestions.model import learned_settings
from services.cli.console import say
from services.cli.profiles import ApiKey, AsJson, Url, connected
from services.cli.profiles_import import progress
from services.client.rest_client import RestClient

_LOOK_EVERY_S: Final = 1.0
_PAGE: Final = 1000


def add_to(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("suggest", help="Look for duplicates among everybody, with progress.")(_suggest)
    group.command("train", help="Learn the weights of suggestions from the people there are, without labels.")(_train)


def _suggest(
    again: Annotated[bool, typer.Option("--again/--rest", help="From the first person again, or only who is left.")] = True,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until everybody was looked at.")] = True,
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    async def work(client: RestClient) -> Any:
        now = await client.call("POST" if again else "GET", "/v1/suggestions/" + ("again" if again else "progress"))
        with progress("looking for duplicates", now["people"]) as shown:
            while wait and now["left"]:
                shown(now["people"] - now["left"])
                await asyncio.sleep(_LOOK_EVERY_S)
                now = await client.call("GET", "/v1/suggestions/progress")
        return now

    found = connected(url, api_key, work)
    if as_json:
        say(json.dumps(found))
    else:
        left = f", {found['left']} left to look at" if found["left"] else ""
        say(f"{found['open']} open suggestions among {found['people']} people{left}")


def _train(
    sample: Annotated[int, typer.Option("--sample", min=100, help="How many people to learn from.")] = 50_000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the weights; store nothing.")] = False,
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    done = connected(url, api_key, lambda client: trained(client, sample=sample, store=not dry_run))
    if as_json:
        say(json.dumps(done))
        return
    for name, learned in done["matching"]["fields"].items():
        say(f"  {name:<14} " + "  ".join(f"{m:.3f}/{u:.4f}" for m, u in zip(learned["m"], learned["u"], strict=True)))
    say(f"learned from {done['sample']} of {done['matching']['people']} people")
    say(
        "nothing was stored"
        if dry_run
        else f"stored as version {done['version']} of the settings; santral profiles suggest uses it"
    )


async def trained(client: RestClient, *, sample: int, store: bool) -> dict[str, Any]:
    """Reads everybody, learns from a sample and stores it in the workspace's settings; the version they have then.

    Memory grows with the sample only. Raises the client's errors, `Conflict` when somebody changed the settings meanwhile, and
    `InputRejected` when there is nothing to learn from.
    """
    workspace = await client.call("GET", "/v1/workspace")
    chance = random.Random(7)  # noqa: S311  a sample, not a secret
    kept: list[Any] = []
    people, cursor = 0, None
    with progress("reading people", None) as shown:
        while True:
            page = await client.call("GET", f"/v1/profiles/export?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            for person in page["items"]:
                people += 1
                if len(kept) < sample:
                    kept.append(person)
                elif (place := chance.randrange(people)) < sample:
                    kept[place] = person
            shown(people)
            cursor = page["next"]
            if cursor is None:
                break
    matching = await asyncio.to_thread(learned_settings, kept, of=people)
    version = workspace["version"]
    if store:
        settings = workspace["settings"]
        settings["profile"] = {**settings.get("profile", {}), "matching": matching}
        body = {"title": workspace["title"], "settings": settings, "managed_digest": workspace["managed_digest"]}
        version = (await client.call("PUT", "/v1/workspace", body, **{"if-match": str(version)}))["version"]
    return {"matching": matching, "sample": len(kept), "version": version}
