"""A person as duplicates are looked for: names, addresses, numbers and attributes in compared form, and what they only claimed.

Of several addresses or numbers the pair that agrees best counts. **Identity**: profile id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Final
from uuid import UUID

from profiles.blocked import blocked_reason
from profiles.matching.columns import guessed_fields
from profiles.matching.levels import level_of
from profiles.matching.matching import Model, Record, Weighed, default_model, field_of, record_of
from profiles.matching.values import Kind, compared
from profiles.snapshot import shown_name
from shared.database import Connection
from shared.ids import WorkspaceId

_PEOPLE: Final = """
select p.id, p.effective, m.handles from santral.profile p
cross join lateral (
    select jsonb_agg(jsonb_build_array(h.id, h.kind, h.scope, h.value, h.assurance, h.name, h.shared) order by h.first_seen_at, h.id)
        as handles
    from santral.handle h where h.workspace_id = p.workspace_id and h.profile_id = p.id
) m
where p.workspace_id = $1 and p.id = any($2::uuid[]) and p.merged_into = '00000000-0000-0000-0000-000000000000'
"""
# What a person said of themselves without proof: a link that joins nobody, to a handle of somebody else.
_CLAIMS: Final = """
select x.profile_id as claimant, y.profile_id as owner, y.kind, y.value from unnest($2::uuid[]) as g(id)
join santral.handle x on x.workspace_id = $1 and x.profile_id = g.id
cross join lateral (
    select l.b as id from santral.link l where l.workspace_id = $1 and l.a = x.id and l.assurance = 'asserted' and l.retracted_at is null
    union all
    select l.a from santral.link l where l.workspace_id = $1 and l.b = x.id and l.assurance = 'asserted' and l.retracted_at is null
) c
join santral.handle y on y.workspace_id = $1 and y.id = c.id
where y.profile_id <> x.profile_id and not y.shared and not x.shared
"""
COMPARED_MAX: Final = 5
"""Of a person's addresses, and of their numbers: the surest come first."""
_PHONES: Final = frozenset({"phone", "wa_id"})
_KINDS: Final[Mapping[str, Kind]] = {
    "given_name": "given_name", "family_name": "family_name", "name": "name", "date_of_birth": "date", "email": "email",
    "phone": "phone", "identifier": "identifier", "postcode": "postcode", "city": "place", "address": "address", "company": "company",
}  # fmt: skip
FIELDS: Final = tuple(field_of(name, kind) for name, kind in _KINDS.items())
_NAME_OF: Final[Mapping[Kind, str]] = {spec.kind: spec.name for spec in FIELDS}
DEFAULT_MODEL: Final[Model] = default_model(FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """``claims``: owners of handles this person named without proof."""

    id: UUID
    values: Mapping[str, str]
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    external_ids: Mapping[str, str]
    claims: frozenset[UUID] = frozenset()

    def looked_for(self) -> list[str]:
        """The texts whose words others must share to be compared at all."""
        name = self.values.get("name", "")
        texts = [*self.emails[:COMPARED_MAX], *(phone[-10:] for phone in self.phones[:COMPARED_MAX])]
        return [*texts, name] if " " in name else texts

    def differs_for_ever(self, other: Known) -> bool:
        """Whether a customer id of each says that they are two."""
        return any(other.external_ids.get(scope, value) != value for scope, value in self.external_ids.items())


async def known_of(connection: Connection, workspace_id: WorkspaceId, profile_ids: Sequence[UUID]) -> dict[UUID, Known]:
    """These people; those that were merged away, or have only handles of no single person, are left out. Two reads."""
    if not profile_ids:
        return {}
    claims: dict[UUID, list[Any]] = defaultdict(list)
    for row in await connection.fetch(_CLAIMS, workspace_id, list(profile_ids)):
        claims[row["claimant"]].append(row)
    rows = await connection.fetch(_PEOPLE, workspace_id, list(profile_ids))
    return {row["id"]: _known(row, claims[row["id"]]) for row in rows if any(map(_is_somebodys, row["handles"] or ()))}


def record_values(person: Known) -> list[Record]:
    """The person as records to compare: one for each of the first addresses and numbers, taken in turn."""
    values = dict(person.values)
    if values.get("given_name") and values.get("family_name"):
        values["name"] = ""  # its parts are compared
    pairs = list(zip_longest(person.emails[:COMPARED_MAX], person.phones[:COMPARED_MAX], fillvalue="")) or [("", "")]
    return [record_of(FIELDS, {**values, "email": email, "phone": phone}) for email, phone in pairs]


def weighed_pair(one: Known, other: Known, model: Model = DEFAULT_MODEL) -> Weighed:
    """The weight of evidence that two people are one."""
    mine, theirs = dict(one.values), dict(other.values)
    mine["email"], theirs["email"] = _best("email", one.emails, other.emails)
    mine["phone"], theirs["phone"] = _best("phone", one.phones, other.phones)
    if all(side.get("given_name") and side.get("family_name") for side in (mine, theirs)):
        mine["name"] = ""  # its parts are compared
    return model.weigh(record_of(FIELDS, mine), record_of(FIELDS, theirs))


def _best(kind: Kind, ones: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    # The first of each are the surest; whoever has a thousand is not looked at a million times.
    pairs = [
        (level_of(kind, compared(kind, a), compared(kind, b)), a, b) for a in ones[:COMPARED_MAX] for b in others[:COMPARED_MAX]
    ]
    _, one, other = max(pairs, default=(0, "", ""))
    return one, other


def given_person(person: Mapping[str, Any]) -> Known:
    """A person as an export gives them: handles, name, traits."""
    effective = {name: {"value": value} for name, value in person["traits"].items()}
    handles = [[None, one["kind"], one["scope"], one["value"], "channel_verified", "", False] for one in person["handles"]]
    known = _known({"id": UUID(int=0), "effective": effective, "handles": handles}, ())
    return replace(known, values={**known.values, "name": person["name"]})


def _is_somebodys(handle: Sequence[Any]) -> bool:
    """Whether a handle may tell who somebody is; who has no such one is nobody's duplicate."""
    return not handle[6] and blocked_reason(handle[1], handle[3], handle[2]) is None


def _known(row: Any, claims: Sequence[Any]) -> Known:
    handles = [handle for handle in row["handles"] if not handle[6]]
    values = {"name": shown_name(row["effective"], [(handle[4], handle[5]) for handle in row["handles"]])}
    said = {name: str(kept["value"]) for name, kept in row["effective"].items() if isinstance(kept["value"], str | int)}
    for spec in guessed_fields([name for name in said if name != "name"]):
        target = _NAME_OF.get(spec.kind)
        if target is not None and target not in ("email", "phone"):
            values.setdefault(target, spec.form(said) if spec.parts else said[spec.name])
    emails = [handle[3] for handle in handles if handle[1] == "email"]
    phones = [handle[3] for handle in handles if handle[1] in _PHONES]
    return Known(
        id=row["id"],
        values=values,
        emails=(*emails, *(claim["value"] for claim in claims if claim["kind"] == "email")),
        phones=(*phones, *(claim["value"] for claim in claims if claim["kind"] in _PHONES)),
        external_ids={handle[2]: handle[3] for handle in handles if handle[1] == "external_id"},
        claims=frozenset(claim["owner"] for claim in claims),
    )
