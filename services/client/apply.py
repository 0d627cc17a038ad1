"""`santral apply`: makes a workspace what a file says, through the REST API. Idempotent; never deletes without ``prune``.

Each resource it writes carries a mark, ``<digest of the entry>.<digest of what the server holds>``. The first part tells an entry that
changed in the file, the second one that somebody changed by hand since: there it stops and says so, until ``take_over``. What the server
makes of an entry is known once it is written; until then the second part is ``v<version>``, as which it is written.
A policy's versions carry the digest of their document: the active one is the file's where it is the last that a file made.

What was planned is written over what was looked at then and nothing else: every write names the version that it replaces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from services.client.rest_client import RestClient
from services.client.workspace_file import LISTS, WorkspaceFile, resolved_secrets
from shared.errors import Conflict, NotFound, SantralError, Unprocessable

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
_IF_MATCH: Final = "If-Match"
_NO_VERSION: Final = 0
_SECRET_DIGEST_BYTES: Final = 3  # tells a change, and is too short to confirm a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be done about one resource, and which fields differ. ``version``: the one it was planned for."""

    section: str
    name: str
    action: Action
    differences: tuple[str, ...] = ()
    where: str = ""
    id: str = ""
    version: int | None = None
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
    """Applies the file. Raises `Conflict` before anything is written when something was changed by hand, `Unprocessable` with the line.

    Raises `Conflict` too where somebody changes a resource meanwhile: that stays as they left it, and what ``progress`` was told of is done.
    """
    async with RestClient(url, api_key) as client:
        plan = await _planned(client, found, prune=prune, take_over=take_over)
        by_hand = [step for step in plan.steps if step.action == "by_hand"]
        if by_hand and not dry_run:
            raise _changed_by_hand(by_hand, since="the file was applied")
        if dry_run:
            return plan
        done = ApplyResult()
        for step in plan.steps:
            try:
                await _do(client, found, step, done, progress, prune=prune)
            except Conflict as error:
                if error.field != _IF_MATCH:
                    raise
                raise _changed_by_hand([step], since="this began") from error
            except NotFound as error:
                raise Conflict(
                    f"deleted by hand since this began: {_named(step)}", field=step.where, remedy="apply again"
                ) from error
        return done


def _named(step: Step) -> str:
    return f"{step.section}/{step.name}"


def _changed_by_hand(steps: Sequence[Step], *, since: str) -> Conflict:
    return Conflict(
        f"changed by hand since {since}: {', '.join(map(_named, steps))}",
        field=steps[0].where or None, remedy="bring the change into the file (santral export), or give --take-over",
    )  # fmt: skip


async def _do(
    client: RestClient, found: WorkspaceFile, step: Step, done: ApplyResult, progress: Callable[[Step], None], *, prune: bool
) -> None:
    """One step. It is told before its mark is put right: the secrets that were made with it are shown once."""
    final, held = step, None
    if step.action == "left" and prune:
        final = await _delete(client, step)
    elif step.action in ("create", "change", "adopt"):
        held = await _write(client, found, step)
        final = replace(step, secrets_made=held.get("secrets_made") or {})
    done.steps.append(final)
    progress(final)
    if held is not None and step.section != "policy":
        await _mark(client, found, step, held)


async def _planned(client: RestClient, found: WorkspaceFile, *, prune: bool, take_over: bool) -> ApplyResult:
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
        for name, one in current_by_name.items():
            if mark := one.get("managed_digest"):
                spared = prune and not take_over and not _as_left(mark, one)
                plan.steps.append(_step(section, name, "by_hand" if spared else "left", known=one))
    if "policy" in found.document:
        plan.steps.append(await _policy(client, found, take_over=take_over))
    return plan


def _step(
    section: str, name: str, action: Action, *, known: Mapping[str, Any], differences: tuple[str, ...] = (), where: str = ""
) -> Step:
    return Step(
        section=section, name=name, action=action, differences=differences, where=where, id=str(known.get("id", name)),
        version=known["version"],
    )  # fmt: skip


async def _policy(client: RestClient, found: WorkspaceFile, *, take_over: bool) -> Step:
    active, where = await client.call("GET", "/v1/policies/active"), found.where("policy")
    if active is None:
        return Step(section="policy", name="policy", action="create", where=where, version=_NO_VERSION)
    wanted, mark = _digest(found.document["policy"]), active["managed_digest"]
    if mark == wanted:
        action: Action = "same"
    elif _digest(active["document"]) == wanted:
        action = "adopt"
    else:
        action = "change" if take_over or (mark and await _last_marked(client) == active["version"]) else "by_hand"
    return _step("policy", "policy", action, known=active, where=where)


async def _last_marked(client: RestClient) -> int | None:
    """The last version that a file made active. Where another one is, somebody went back to it by hand."""
    async for one in client.pages("/v1/policies"):
        if one["managed_digest"] and one["activated_at"]:
            version: int = one["version"]
            return version
    return None


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

    def to_do(action: Action, differences: tuple[str, ...] = differences) -> Step:
        return _step(section, name, action, known=known, differences=differences, where=where)

    if not mark:
        return to_do("by_hand" if differences and not take_over and section != "workspace" else "adopt")
    given, _, held = mark.partition(".")
    if not _as_left(mark, known) and not take_over:
        return to_do("by_hand")
    unchanged = given == _given(found, path, entry) or not (differences or entry.get("secrets"))
    if unchanged and held == _held(known):
        return to_do("same", ())
    return to_do("change", differences or ("secrets",))


def _as_left(mark: str, known: Mapping[str, Any]) -> bool:
    """Whether nobody changed it since it was marked."""
    held = mark.partition(".")[2]
    return held in (_held(known), f"v{known['version']}")


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


async def _write(client: RestClient, found: WorkspaceFile, step: Step) -> Mapping[str, Any]:
    """Writes it over the version it was planned for; what the server holds then, with the secrets that it made, told this once."""
    written: Mapping[str, Any]
    try:
        if step.section == "policy":
            document = found.document["policy"]
            body = {"document": document, "managed_digest": _digest(document)}
            written = await client.call("POST", "/v1/policies", body, **_over(step.version))
        else:
            body = _body(found, step, f"v{(step.version or 0) + 1}")
            if step.action == "create":
                written = await client.call("POST", f"/v1/{step.section}", body)
            else:
                written = await client.call("PUT", _address(step, step.id), body, **_over(step.version))
    except Unprocessable as error:
        if error.field and error.field.startswith(f"{found.source}:"):
            raise
        place, named = _path_of(found, step), (error.field or "").removeprefix("body.")
        if step.section == "policy" and error.details.get("errors"):
            named = ".".join(str(part) for part in error.details["errors"][0]["path"])
        where = found.where(f"{place}.{named}" if named else place)
        raise Unprocessable(f"{step.section}/{step.name}: {error.message}", field=where, remedy=error.remedy) from error
    return written


def _path_of(found: WorkspaceFile, step: Step) -> str:
    if step.section not in LISTS:
        return step.section
    place = next(place for place, entry in enumerate(found.document[step.section]) if entry["name"] == step.name)
    return f"{step.section}.{place}"


def _body(found: WorkspaceFile, step: Step, held: str) -> dict[str, Any]:
    """The entry with its secrets and its mark."""
    path = _path_of(found, step)
    if path == "workspace":
        entry = found.document["workspace"]
        body = dict(entry)
    else:
        place = int(path.rpartition(".")[2])
        entry = found.document[step.section][place]
        body = dict(entry)
        if "secrets" in body:
            body["secrets"] = resolved_secrets(found, step.section, place)
    return {**body, "managed_digest": f"{_given(found, path, entry)}.{held}"}


def _address(step: Step, key: str) -> str:
    return "/v1/workspace" if step.section == "workspace" else f"/v1/{step.section}/{key}"


def _over(version: int | None) -> dict[str, str]:
    return {_IF_MATCH: str(version)}


async def _mark(client: RestClient, found: WorkspaceFile, step: Step, held: Mapping[str, Any]) -> None:
    """Marks what the server made of it, so that a later change by hand is seen, and a later release's own is not taken for one."""
    address = _address(step, str(held.get("id", held["name"])))
    await client.call("PUT", address, _body(found, step, _held(held)), **_over(held["version"]))


async def _delete(client: RestClient, step: Step) -> Step:
    try:
        await client.call("DELETE", _address(step, step.id), **_over(step.version))
    except NotFound:
        raise
    except SantralError as error:
        if error.field == _IF_MATCH:
            raise
        raise Conflict(f"{_named(step)} cannot be deleted: {error.message}", remedy=error.remedy) from error
    return replace(step, action="delete")
