"""Chances measured on the records at hand, without labels: how often values of two people agree, and of one person. Pure.

``measured_model`` looks at random pairs, which are two people's almost always, and so replaces the assumed ``u``. ``learned_model``
also learns ``m``: by expectation maximisation over the candidate pairs, with Splink, which comes with the extra ``duplicates``.
What was learned from few pairs is mixed with what was assumed.

Source: Splink 5, ``Linker.training``; Winkler, "Using the EM Algorithm for Weight Computation" (1988).
"""

from __future__ import annotations

import logging
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from profiles.matching.levels import LEVELS, MISSING
from profiles.matching.matching import Field, Frequencies, Model, Record, default_model, made_model, probability
from shared.errors import InputRejected

PAIRS_SAMPLED: Final = 30_000
PAIRS_LEARNED_MAX: Final = 300_000
_ASSUMED_PAIRS: Final = 40.0  # how many observed pairs the assumed chances are worth
_CHANCE_MIN: Final = 1e-6


def frequencies_of(fields: Sequence[Field], records: Sequence[Record]) -> Frequencies:
    """Counts of values and words."""
    values: list[Counter[str]] = [Counter() for _ in fields]
    words: list[Counter[str]] = [Counter() for _ in fields]
    for record in records:
        for place, value in enumerate(record):
            if value:
                values[place][value] += 1
                words[place].update(set(value.split()))
    return Frequencies(records=len(records), values=tuple(values), words=tuple(words))


def measured_model(fields: Sequence[Field], records: Sequence[Record], *, seed: int = 7) -> Model:
    """Assumed ``m``, measured ``u``. The same records give the same model."""
    known = frequencies_of(fields, records)
    draft = default_model(fields, records=len(records))
    draft = made_model(fields, m=_assumed(fields), u=_assumed_u(fields), prior=draft.prior, frequencies=known)
    chance = random.Random(seed)  # noqa: S311  a sample, not a secret
    counts = [[0.0] * len(LEVELS[spec.kind]) for spec in fields]
    if len(records) > 1:
        for _ in range(min(PAIRS_SAMPLED, len(records) * (len(records) - 1) // 2)):
            one, other = chance.sample(range(len(records)), 2)
            for place, level in enumerate(draft.levels(records[one], records[other])):
                if level != MISSING:
                    counts[place][level] += 1
    u = [_smoothed(count, assumed) for count, assumed in zip(counts, _assumed_u(fields), strict=True)]
    return made_model(fields, m=_assumed(fields), u=u, prior=draft.prior, frequencies=known)


def learned_model(base: Model, records: Sequence[Record], pairs: Iterable[tuple[int, int]]) -> Model:
    """``base`` with ``m`` learned from candidate pairs. Raises `InputRejected` without Splink or without pairs."""
    patterns: Counter[tuple[int, ...]] = Counter()
    likely = [0] * len(base.fields)
    for one, other in pairs:
        levels = base.levels(records[one], records[other])
        patterns[levels] += 1
        if base.weigh(records[one], records[other], levels).weight > 0:
            likely = [count + (level != MISSING) for count, level in zip(likely, levels, strict=True)]
    if not patterns:
        raise InputRejected("no two records are alike enough to learn from", field="--train", remedy="give more records or fields")
    m = [
        _smoothed([chance * count for chance in chances], assumed)
        for chances, count, assumed in zip(_splink(base, patterns), likely, _assumed(base.fields), strict=True)
    ]
    return made_model(base.fields, m=m, u=_u_of(base), prior=base.prior, frequencies=base.frequencies)


def _u_of(base: Model) -> list[list[float]]:
    """The chances among two people that the model's weights stand for."""
    return [list(chances) for chances in base.u]


def _assumed(fields: Sequence[Field]) -> list[tuple[float, ...]]:
    return [tuple(level.m for level in LEVELS[spec.kind]) for spec in fields]


def _assumed_u(fields: Sequence[Field]) -> list[tuple[float, ...]]:
    return [tuple(level.u for level in LEVELS[spec.kind]) for spec in fields]


def _smoothed(counts: Sequence[float], assumed: Sequence[float]) -> list[float]:
    total = sum(counts) + _ASSUMED_PAIRS
    whole = sum(assumed)
    return [
        max(_CHANCE_MIN, (seen + _ASSUMED_PAIRS * chance / whole) / total) for seen, chance in zip(counts, assumed, strict=True)
    ]


def _splink(base: Model, patterns: Counter[tuple[int, ...]]) -> list[list[float]]:
    """``m`` per field and level by Splink's expectation maximisation.

    Splink compares rows of tables in SQL; ours are compared already. So each pair is given to it as two rows that share a number, the
    levels reached beside it, and the comparisons only read them.
    """
    try:
        splink, duckdb_api, arrow = import_module("splink"), import_module("splink.backends.duckdb"), import_module("pyarrow")
    except ImportError as error:
        raise InputRejected(
            "learning needs Splink, which is not installed", field="--train", remedy="pip install 'santral[duplicates]'"
        ) from error
    logging.getLogger("splink").setLevel(logging.ERROR)
    kept = max(1.0, sum(patterns.values()) / PAIRS_LEARNED_MAX)
    rows = [levels for levels, count in sorted(patterns.items()) for _ in range(math.ceil(count / kept))]
    rows += _never_impossible(base)
    columns: dict[str, Any] = {
        "unique_id": [*range(2 * len(rows))],
        "pair": [place for place in range(len(rows)) for _ in (0, 1)],
    }
    for place in range(len(base.fields)):
        columns[f"level_{place}"] = [levels[place] for levels in rows for _ in (0, 1)]
    api = duckdb_api.DuckDBAPI(connection=":memory:")
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        probability_two_random_records_match=probability(base.prior),
        comparisons=[_comparison(base, place) for place in range(len(base.fields))],
        blocking_rules_to_generate_predictions=["l.pair = r.pair"],
    )
    linker = splink.Linker(api.register(arrow.table(columns)), settings, log_level=logging.ERROR)
    linker.training.estimate_parameters_using_expectation_maximisation(
        "l.pair = r.pair", fix_probability_two_random_records_match=True, fix_u_probabilities=True
    )
    learned = linker.misc.save_model_to_json()
    return [_chances(comparison, base.m[place]) for place, comparison in enumerate(learned["comparisons"])]


def _never_impossible(base: Model) -> list[tuple[int, ...]]:
    """A pair for each level that differs in everything else, and one that agrees: no chance is learned to be nothing."""
    tops = [len(chances) - 1 for chances in base.m]
    return [
        tuple(level if here == place else other for here, other in enumerate(others))
        for place, top in enumerate(tops)
        for level in range(top + 1)
        for others in ([0] * len(tops), tops)
    ]


def _comparison(base: Model, place: int) -> dict[str, Any]:
    column = f"level_{place}"
    missing = {"sql_condition": f"{column}_l = {MISSING}", "label_for_charts": "missing", "is_null_level": True}
    levels = [
        {
            "sql_condition": f"{column}_l = {level}" if level else "ELSE",
            "label_for_charts": str(level),
            "m_probability": base.m[place][level],
            "u_probability": base.u[place][level],
        }
        for level in reversed(range(len(base.m[place])))
    ]
    return {"output_column_name": column, "comparison_levels": [missing, *levels]}


def _chances(comparison: Mapping[str, Any], assumed: Sequence[float]) -> list[float]:
    """``m`` of each level; the assumed one where Splink saw none."""
    known = {level["label_for_charts"]: level.get("m_probability") for level in comparison["comparison_levels"]}
    found = [known.get(str(level)) for level in range(len(assumed))]
    return [chance if isinstance(one, str) or one is None else float(one) for one, chance in zip(found, assumed, strict=True)]
