"""The widget's visitors who are a person: those that wrote, and those that a site's signed identity named before they wrote anything.

A site names people as it writes them: national numbers, domains in letters. They are compared as handles, as when a message brings them.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from ingest.adapters.webchat import OF_THE_WORKSPACE
from profiles.forgetting import OwnHandle, visitors_of
from shared.database import Connection, pages
from shared.errors import InputRejected
from shared.handle import normalized

_PAGE: Final = 500
_TAIL: Final = 4
"""Digits at a number's end that every way of writing it has."""
# The same id in another scope is another customer (`ingest/adapters/webchat.py`). The scope is the one under which they came; a session of a release
# before does not say it, and has its inbox's of today.
_SIGNED: Final = f"""
select s.visitor_id, s.claims, s.created_at, coalesce(i.settings->>'region', w.settings->>'region') as region,
       coalesce(s.claims->>'identity_scope', nullif(i.settings->>'identity_scope', '{OF_THE_WORKSPACE}'), '') as scope
from santral.session s join santral.workspace w on w.id = s.workspace_id
left join santral.inbox i on i.workspace_id = s.workspace_id and i.id = s.inbox_id
where s.workspace_id = $1 and s.kind = 'visitor' and s.visitor_id is not null and s.claims ? 'external_id'
"""
_KNOWN: Final = """
select h.scope, h.value from santral.handle h join unnest($2::text[], $3::text[]) as n(scope, value) on h.scope = n.scope and h.value = n.value
where h.workspace_id = $1 and h.kind = 'external_id'
"""
_Scoped: TypeAlias = tuple[str, str]
_Values: TypeAlias = Mapping[str, Mapping[str, Sequence[OwnHandle]]]
"""Of each kind, what may stand in claims, with the handles that it is of."""


async def visitors_who_are(connection: Connection, workspace_id: UUID, handles: Sequence[OwnHandle]) -> tuple[UUID, ...]:
    """Their ids; ``handles`` with the values they had, also once they are erased."""
    own = frozenset((one.handle.scope, text) for one in handles if one.handle.kind == "external_id" for text in _texts(one))
    values: dict[str, dict[str, list[OwnHandle]]] = {"email": {}, "phone": {}}
    for one in handles:
        if one.handle.kind in values:
            for text in _texts(one):
                values[one.handle.kind].setdefault(text, []).append(one)
    named: list[UUID] = []
    sharing: dict[UUID, _Scoped] = {}
    if own or any(values.values()):
        async for rows in pages(connection, _SIGNED, workspace_id, rows=_PAGE):
            ids, addresses = await asyncio.to_thread(_those, rows, own, values)
            named += ids
            sharing |= addresses
    # An address that two customers share belongs to whom the site's own id names.
    asked = list(set(sharing.values()))
    found = await connection.fetch(_KNOWN, workspace_id, *map(list, zip(*asked, strict=True))) if asked else []
    known = {(row["scope"], row["value"]) for row in found}
    named += [visitor for visitor, customer in sharing.items() if customer not in known]
    return tuple(dict.fromkeys((*visitors_of(handles), *named)))


def _texts(one: OwnHandle) -> set[str]:
    texts = {text for text in (one.handle.value, one.raw) if text}
    return texts | {_as_handle(one.handle.kind, text, None) for text in texts}


def _those(rows: Sequence[Mapping[str, Any]], own: frozenset[_Scoped], values: _Values) -> tuple[list[UUID], dict[UUID, _Scoped]]:
    """Visitors whom the site's own id names, and those who only have an address of theirs, with the id that the site gave them."""
    named, sharing = [], {}
    tails = {"".join(one for one in value if one.isdigit())[-_TAIL:] for value in values["phone"]}
    for row in rows:
        claims = {name: str(value) for name, value in row["claims"].items()}
        customer = claims["external_id"]
        if not own.isdisjoint((row["scope"], one) for one in (customer, _as_handle("external_id", customer, None))):
            named.append(row["visitor_id"])
        elif _stands_in(values, "email", claims, row) or (
            _may_be(claims.get("phone", ""), tails) and _stands_in(values, "phone", claims, row)
        ):
            sharing[row["visitor_id"]] = (row["scope"], _as_handle("external_id", customer, None))
    return named, sharing


def _stands_in(values: _Values, kind: str, claims: Mapping[str, str], row: Mapping[str, Any]) -> bool:
    """Whether an address that a visitor came with was the person's when they came."""
    text, known = claims.get(kind, ""), values[kind]
    if not (known and text):
        return False
    found = known.get(text) or known.get(_as_handle(kind, text, row["region"]), ())
    return any(one.was_theirs(row["created_at"]) for one in found)


def _may_be(number: str, tails: set[str]) -> bool:
    """Whether a number is worth reading, which costs a tenth of a millisecond: it has one of these ends, or letters for digits."""
    digits = "".join(str(unicodedata.digit(one)) for one in number if one.isdigit())
    return any(tail in digits for tail in tails) or any(one.isalpha() for one in number)


def _as_handle(kind: str, text: str, region: str | None) -> str:
    try:
        return normalized(kind, text, region=region).value
    except InputRejected:
        return text
