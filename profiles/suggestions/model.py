"""The weights a workspace learned from its own people, as they are stored in its settings, and the model that suggestions use. Pure.

A field that was not learned, or that does not fit the levels of this release, keeps what is assumed.
**Identity**: the name of a field; **units**: chances between 0 and 1, people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from profiles.matching.blocking import candidates
from profiles.matching.learning import learned_model, measured_model
from profiles.matching.levels import LEVELS
from profiles.matching.matching import Model, default_model, made_model
from profiles.suggestions.people import DEFAULT_MODEL, FIELDS, given_person, record_values

PAIRS_MAX: Final = 2_000_000


def model_of(settings: Mapping[str, Any] | None) -> Model:
    """The model of ``settings.profile.matching``; the assumed one where nothing was learned."""
    if not settings:
        return DEFAULT_MODEL
    m, u = [], []
    for spec in FIELDS:
        learned = settings.get("fields", {}).get(spec.name) or {}
        levels = LEVELS[spec.kind]
        fits = fitting(learned.get("m")) and fitting(learned.get("u")) and len(learned["m"]) == len(learned["u"]) == len(levels)
        m.append(tuple(learned["m"]) if fits else tuple(level.m for level in levels))
        u.append(tuple(learned["u"]) if fits else tuple(level.u for level in levels))
    return made_model(FIELDS, m=m, u=u, prior=default_model(FIELDS, records=int(settings.get("people", 10_000))).prior)


def fitting(chances: Any) -> bool:
    """Whether these are chances a weight can be made of."""
    return isinstance(chances, list | tuple) and all(isinstance(one, int | float) and 0 < one <= 1 for one in chances)


def learned_settings(people: Sequence[Mapping[str, Any]], *, of: int) -> dict[str, Any]:
    """What is stored after learning from a sample of exported people, ``of`` how many there are; without any label.

    Raises `InputRejected` without Splink (extra `duplicates`) or when no two of them are alike.
    """
    records = [record_values(given_person(person))[0] for person in people]
    base = measured_model(FIELDS, records)
    model = learned_model(base, records, islice(candidates(FIELDS, records), PAIRS_MAX))
    said = [place for place in range(len(FIELDS)) if any(record[place] for record in records)]
    fields = {
        FIELDS[place].name: {
            "m": [round(chance, 8) for chance in model.m[place]], "u": [max(1e-8, round(chance, 8)) for chance in model.u[place]],
        }
        for place in said
    }  # fmt: skip
    return {"people": max(of, 2), "fields": fields}
