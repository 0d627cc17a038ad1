"""`santral apply`: makes a workspace what a file says, through the REST API. Idempotent; never deletes without ``prune``.

Each resource it writes carries a mark, ``<digest of the entry>.<digest of what the server holds>``. The first part tells an entry that
changed in the file, the second one that somebody changed by hand since: there it stops and says so, until ``take_over``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from services.client.rest_client import RestClient
from services.client.workspace_file import LISTS, WorkspaceFile, resolved_secrets
from shared.errors import Conflict, SantralError, Unprocessable

Action = Literal["create", "change", "adopt", "same", "delete", "left", "by_hand"]
_ADDED: Final = (("purpose", "customers"),)
_ADDED_SETTINGS: Final = (("marked_mail", None), ("marked_mail", "aside"))
_VOLATILE: Final = frozenset(
    {
        "id",
        "version",
        "managed_digest",
        "presence",
        "presences",
        "off_shift",
        "warnings",
        "used",
        "counts",
        "secrets",
        "secrets_set",
        "secrets_made",
        "webhook_path",
        "widget_token",
    }
)
_SECRET_DIGEST_BYTES: Final = 3  # tells a change, and is too short to confirm a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done about one resource, and which fields differ."""

    section: str
    name: str
    action: Action
    differences: tuple[str, ...] = ()
    where: str = ""
    secrets_made: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class ApplyResult:
    """What was, or would be, done."""

    steps: list[Step] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """How many resources were written."""
        return sum(1 for step in self.steps if step.action in ("create", "change", "adopt", "delete"))


async def apply_file(
    found: WorkspaceFile, *, url: str, api_key: str, prune: bool = False, dry_run: bool = False, take_over: bool = False,
    progress: Callable[[Step], None] = lambda _: None,
) -> ApplyResult:  # fmt: skip
    """Applies the file. Raises `Conflict` before anything is written when something was changed by hand, `Unprocessable` with the line."""
    async with RestClient(url, api_key) as client:
        plan = await _planned(client, found, take_over=take_over)
        by_hand = [step for step in plan.steps if step.action == "by_hand"]
        if by_hand and not dry_run:
            names = ", ".join(f"{step.section}/{step.name}" for step in by_hand)
            raise Conflict(
                f"changed by hand since the file was applied: {names}",
                field=by_hand[0].where, remedy="bring the change into the file (santral export), or give --take-over",
            )  # fmt: skip
        if dry_run:
            return plan
        done = ApplyResult()
        for step in plan.steps:
            final = step
            if step.action == "left" and prune:
                final = await _delete(client, step)
            elif step.action in ("create", "change", "adopt"):
                final = replace(step, secrets_made=await _write(client, found, step))
            done.steps.append(final)
            progress(final)
        return done


async def _planned(client: RestClient, found: WorkspaceFile, *, take_over: bool) -> ApplyResult:
    plan = ApplyResult()
    if "workspace" in found.document:
        current = await client.call("GET", "/v1/workspace")
        plan.steps.append(
            _compared(found, "workspace", current["name"], "workspace", found.document["workspace"], current, take_over)
        )
    for section in LISTS:
        if section not in found.document:
            continue
        current_by_name = {one["name"]: one async for one in client.pages(f"/v1/{section}")}
        for place, entry in enumerate(found.document[section]):
            known = current_by_name.pop(entry["name"], None)
            plan.steps.append(_compared(found, section, entry["name"], f"{section}.{place}", entry, known, take_over))
        plan.steps += [
            Step(section=section, name=name, action="left") for name, one in current_by_name.items() if one.get("managed_digest")
        ]
    if "policy" in found.document:
        active = await client.call("GET", "/v1/policies/active")
        same = active is not None and active.get("managed_digest") == _digest(found.document["policy"])
        action: Action = "same" if same else "change"
        plan.steps.append(Step(section="policy", name="policy", action=action, where=found.where("policy")))
    return plan


def _compared(
    found: WorkspaceFile,
    section: str,
    name: str,
    path: str,
    entry: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    take_over: bool,
) -> Step:
    where = found.where(path)
    if known is None:
        return Step(section=section, name=name, action="create", where=where)
    differences = tuple(key for key, value in entry.items() if key != "secrets" and known.get(key) != value)
    mark = known.get("managed_digest")
    if not mark:
        if differences and not take_over and section != "workspace":
            return Step(section=section, name=name, action="by_hand", differences=differences, where=where)
        return Step(section=section, name=name, action="adopt", differences=differences, where=where)
    given, _, held = mark.partition(".")
    if held != _held(known) and not take_over:
        return Step(section=section, name=name, action="by_hand", differences=differences, where=where)
    unchanged = given == _given(found, path, entry) or not (differences or entry.get("secrets"))
    if unchanged and held == _held(known):
        return Step(section=section, name=name, action="same", where=where)
    return Step(section=section, name=name, action="change", differences=differences or ("secrets",), where=where)


def _given(found: WorkspaceFile, path: str, entry: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in entry.items() if key != "secrets"}
    digest = _digest(plain)
    if entry.get("secrets"):
        section, place = path.split(".")
        secrets = json.dumps(resolved_secrets(found, section, int(place)), sort_keys=True)
        digest += hashlib.sha256(secrets.encode()).hexdigest()[: 2 * _SECRET_DIGEST_BYTES]
    return digest


def _held(known: Mapping[str, Any]) -> str:
    """A digest of what a workspace holds. What a later release added, saying what was so before, is nobody's change by hand."""
    held = {key: value for key, value in known.items() if key not in _VOLATILE and (key, value) not in _ADDED}
    if isinstance(held.get("settings"), dict):
        held["settings"] = {key: value for key, value in held["settings"].items() if (key, value) not in _ADDED_SETTINGS}
    return _digest(held)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


async def _write(client: RestClient, found: WorkspaceFile, step: Step) -> Mapping[str, str]:
    """Writes it; the secrets that the server made with it, told this once."""
    try:
        if step.section == "policy":
            document = found.document["policy"]
            await client.call("POST", "/v1/policies", {"document": document, "managed_digest": _digest(document)})
        elif step.section == "workspace":
            await _twice(client, found, "/v1/workspace", "workspace", dict(found.document["workspace"]), None)
        else:
            return await _write_entry(client, found, step)
    except Unprocessable as error:
        if error.field and error.field.startswith(f"{found.source}:"):
            raise
        place, named = _path_of(found, step), (error.field or "").removeprefix("body.")
        if step.section == "policy" and error.details.get("errors"):
            named = ".".join(str(part) for part in error.details["errors"][0]["path"])
        where = found.where(f"{place}.{named}" if named else place)
        raise Unprocessable(f"{step.section}/{step.name}: {error.message}", field=where, remedy=error.remedy) from error
    return {}


def _path_of(found: WorkspaceFile, step: Step) -> str:
    if step.section not in LISTS:
        return step.section
    place = next(place for place, entry in enumerate(found.document[step.section]) if entry["name"] == step.name)
    return f"{step.section}.{place}"


async def _write_entry(client: RestClient, found: WorkspaceFile, step: Step) -> Mapping[str, str]:
    path = _path_of(found, step)
    place = int(path.rpartition(".")[2])
    body = dict(found.document[step.section][place])
    if "secrets" in body:
        body["secrets"] = resolved_secrets(found, step.section, place)
    if step.action == "create":
        made = await client.call("POST", f"/v1/{step.section}", body)
        await _marked(client, found, f"/v1/{step.section}/{made.get('id', made['name'])}", path, body, made)
        return made.get("secrets_made") or {}
    known = await _known(client, step)
    await _twice(client, found, f"/v1/{step.section}/{known.get('id', known['name'])}", path, body, known)
    return {}


async def _known(client: RestClient, step: Step) -> Mapping[str, Any]:
    async for one in client.pages(f"/v1/{step.section}"):
        if one["name"] == step.name:
            found: Mapping[str, Any] = one
            return found
    raise Conflict("it was deleted meanwhile", field=f"{step.section}/{step.name}", remedy="apply again")


async def _twice(client: RestClient, found: WorkspaceFile, address: str, path: str, body: dict[str, Any], known: Any) -> None:
    """Replaces, then marks what the server made of it, so that a later change by hand is seen."""
    await _marked(client, found, address, path, body, await client.call("PUT", address, body))


async def _marked(
    client: RestClient, found: WorkspaceFile, address: str, path: str, body: dict[str, Any], held: Mapping[str, Any]
) -> None:
    entry = found.document["workspace"] if path == "workspace" else found.document[path.split(".")[0]][int(path.split(".")[1])]
    mark = f"{_given(found, path, entry)}.{_held(held)}"
    await client.call("PUT", address, {**body, "managed_digest": mark})


async def _delete(client: RestClient, step: Step) -> Step:
    known = await _known(client, step)
    try:
        await client.call("DELETE", f"/v1/{step.section}/{known.get('id', known['name'])}")
    except SantralError as error:
        raise Conflict(f"{step.section}/{step.name} cannot be deleted: {error.message}", remedy=error.remedy) from error
    return Step(section=step.section, name=step.name, action="delete")
