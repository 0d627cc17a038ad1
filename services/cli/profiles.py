"""`santral profiles`: who is one person, why, and saying otherwise.

A person is named by any id they ever had, or by a handle as `kind:value` (`email:ayse@ornek.com`, `psid/page-42:998`), which travels
in the body of a request, never in an address. A further command is a module with `add_to(group)` and a line in `PARTS`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.cli.console import say
from services.client.rest_client import RestClient
from shared.errors import InputRejected, NotFound

PARTS: Final[tuple[str, ...]] = (
    "services.cli.profiles_evaluate", "services.cli.profiles_import", "services.cli.profiles_privacy", "services.cli.profiles_suggest",
)  # fmt: skip
"""Modules that add commands of their own to the group."""
Url = Annotated[str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is.")]
ApiKey = Annotated[
    str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with profiles:read, to change something profiles:write.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Person = Annotated[str, typer.Argument(help="An id, or a handle as kind:value.")]
Reason = Annotated[str, typer.Option("--reason", help="Kept with the evidence.")]


def register(app: typer.Typer) -> None:
    """Adds the group with all its parts."""
    group = typer.Typer(help="Who is one person, why, and saying otherwise.", no_args_is_help=True)
    group.command("show", help="A person with handles and attributes.")(_show)
    group.command("explain", help="Why two handles are one person, link by link; or why they are two.")(_explain)
    group.command("merge", help="Say that two profiles are one person.")(_merge)
    group.command("unmerge", help="Take a link back, or say that two handles are two people.")(_unmerge)
    for part in PARTS:
        importlib.import_module(part).add_to(group)
    app.add_typer(group, name="profiles")


def connected(url: str, api_key: str, work: Callable[[RestClient], Awaitable[Any]]) -> Any:
    """Runs ``work`` with a client. Raises `InputRejected` without a key."""
    if not api_key:
        raise InputRejected("no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY")

    async def run() -> Any:
        async with RestClient(url, api_key) as client:
            return await work(client)

    return asyncio.run(run())


async def handle_id_of(client: RestClient, named: str, *, field: str = "PERSON") -> str:
    """The handle's id that an id or ``kind:value`` stands for. Raises `InputRejected`, `NotFound`."""
    try:
        return str(UUID(named))
    except ValueError:
        pass
    kind_scope, colon, value = named.partition(":")
    if not colon or not value:
        raise InputRejected(f"{named!r} is no id and no handle", field=field, remedy="like email:ayse@ornek.com")
    kind, _, scope = kind_scope.partition("/")
    answer = await client.call("POST", "/v1/profiles/lookup", {"handles": [{"kind": kind, "scope": scope, "value": value}]})
    found = answer["items"][0]["handle_id"]
    if found is None:
        raise NotFound("nobody has this handle", field=field, remedy="a handle that was seen")
    return str(found)


def _show(person: Person, url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    async def work(client: RestClient) -> Any:
        return await client.call("GET", f"/v1/profiles/{await handle_id_of(client, person)}")

    view = connected(url, api_key, work)
    if as_json:
        say(json.dumps(view, ensure_ascii=False))
        return
    say(f"{view['name'] or 'without a name'}  {view['id']}  version {view['version']}")
    for handle in view["handles"]:
        shared = f"  belongs to nobody ({handle['shared_by']})" if handle["shared"] else ""
        say(f"  {handle['id']}  {handle['kind']}  {handle['value']}  {handle['assurance']}{shared}")
    for name, kept in view["attributes"].items():
        value = json.dumps(kept["value"], ensure_ascii=False)
        say(f"  {name} = {value}  from {kept['source']}, {kept['assurance']}, {kept['observed_at']}")


def _explain(one: Person, other: Person, url: Url = "http://127.0.0.1:8080", api_key: ApiKey = "", as_json: AsJson = False) -> None:
    async def work(client: RestClient) -> Any:
        a, b = await handle_id_of(client, one, field="ONE"), await handle_id_of(client, other, field="OTHER")
        return await client.call("GET", f"/v1/profiles/explain?a={a}&b={b}")

    why = connected(url, api_key, work)
    if as_json:
        say(json.dumps(why, ensure_ascii=False))
        return
    say("one person" if why["together"] else "two people")
    for step in why["path"]:
        say(f"  {step['from_handle']} → {step['to_handle']}: {_evidence(step['link'])}")
    for apart in why["kept_apart"]:
        say(f"  kept apart by {apart['actor'] or 'nobody named'} since {apart['stated_at']}: {apart['reason'] or 'no reason'}")
    for refused in why["refused"]:
        say(f"  {refused['rule']}: {_evidence(refused['link'])}")


def _evidence(link: dict[str, Any]) -> str:
    by = f", by {link['actor']}" if link["actor"] else ""
    return f"{link['kind']}, {link['assurance']}, {link['source']}, since {link['first_seen_at']}{by}  (link {link['id']})"


def _merge(
    person: Person,
    other: Annotated[str, typer.Argument(metavar="WITH", help="The other profile: an id, or a handle as kind:value.")],
    reason: Reason = "",
    overrule: Annotated[bool, typer.Option("--overrule", help="Although they were said to be two people.")] = False,
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    async def work(client: RestClient) -> Any:
        one, two = await handle_id_of(client, person), await handle_id_of(client, other, field="WITH")
        return await client.call("POST", f"/v1/profiles/{one}/merge", {"with": two, "reason": reason, "overrule": overrule})

    done = connected(url, api_key, work)
    if as_json:
        say(json.dumps(done))
    elif not done["changed"]:
        say(f"they are one person already: {done['profile_id']}")
    else:
        say(f"one person: {done['profile_id']}, version {done['version']}; to take it back: --link {done['link_id']}")


def _unmerge(
    person: Person,
    link: Annotated[str, typer.Option("--link", help="The link to take back.")] = "",
    apart: Annotated[tuple[str, str] | None, typer.Option("--apart", help="Two handles that are two people.")] = None,
    keep_apart: Annotated[bool, typer.Option("--keep-apart", help="With --link: remember it.")] = False,
    reason: Reason = "",
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    if bool(link) == (apart is not None):
        raise InputRejected("either a link or two handles", field="--link", remedy="santral profiles explain names the links")

    async def work(client: RestClient) -> Any:
        body: dict[str, Any] = {"reason": reason}
        if apart is None:
            body |= {"link": link, "keep_apart": keep_apart}
        else:
            body["handles"] = [await handle_id_of(client, named, field="--apart") for named in apart]
        return await client.call("POST", f"/v1/profiles/{await handle_id_of(client, person)}/unmerge", body)

    done = connected(url, api_key, work)
    if as_json:
        say(json.dumps(done))
        return
    say("two people now" if done["apart"] else "other evidence still makes them one person; santral profiles explain names it")
    for handle_id, profile_id in done["handles"]:
        say(f"  {handle_id}  is of  {profile_id}")
