"""Suggestions and automatic rules run over a labelled list, and how good they were.

Truth is a column that names the cluster (records with the same value are one person), or a file of pairs. With several files only pairs
of two different ones count, unless asked otherwise. Nothing is written.

**Units**: weights in bits, times in seconds, rows per second of the whole run without reading the files.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from profiles.matching.automatic import automatic_pairs
from profiles.matching.blocking import candidates
from profiles.matching.columns import folded_column, guessed_fields, mapped_fields
from profiles.matching.learning import learned_model, measured_model
from profiles.matching.matching import Field, Record, record_of
from profiles.matching.repeats import without_repeats
from profiles.matching.report import THRESHOLDS, Truth, at_thresholds, best_of, comparable, scores
from services.client.table_file import TableFile, single_pairs, table_file
from shared.errors import InputRejected

THRESHOLD: Final = 2.0
_TRUTHS: Final = ("cluster", "clusterid", "cluster_id", "truth", "entityid", "personid", "trueid", "groundtruth", "label")
_IDS: Final = ("id", "recid", "recordid", "uniqueid", "rowid", "idx")
_LEFT: Final = ("left", "leftid", "ltableid", "id1", "idleft", "idl", "idabt", "idamazon", "iddblp", "a", "one")
_RECORD_NUMBER: Final = re.compile(r"rec-(\d+)-(?:org|dup.*)")
Shown = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to evaluate. ``truth``: a column, maybe with ``truth_pattern`` whose first group is the cluster."""

    files: Sequence[Path]
    maps: Sequence[str] = ()
    truth: str | None = None
    truth_pattern: str | None = None
    pairs: Path | None = None
    id_column: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    train: bool = False
    within: bool = False
    threshold: float = THRESHOLD


@dataclass(slots=True, kw_only=True)
class _Loaded:
    fields: tuple[Field, ...]
    ignored: list[str]
    repeated: list[str]  # say again what a date says, and are not compared
    records: list[Record]
    rows: list[dict[str, str]]  # only what truth needs: id and cluster
    sources: list[int]


def evaluated(question: Question, shown: Shown = lambda _what, _share: None) -> dict[str, Any]:
    """The report, as JSON. Raises `InputRejected` naming option, file, row or column."""
    loaded = _loaded(question, shown)
    truth = _truth(question, loaded)
    began = time.perf_counter()
    shown("which pairs", 0.2)
    pairs = list(candidates(loaded.fields, loaded.records, sources=truth.sources))
    shown("weights", 0.4)
    model = measured_model(loaded.fields, loaded.records)
    if question.train:
        model = learned_model(model, loaded.records, pairs)
    shown("comparing", 0.5)
    weighed = []
    for place, (one, other) in enumerate(pairs):
        weighed.append((model.weigh(loaded.records[one], loaded.records[other]).weight, truth.same(one, other)))
        if not place % 20_000:
            shown("comparing", 0.5 + 0.5 * place / len(pairs))
    took_s = time.perf_counter() - began
    total, every = truth.total(), comparable(len(loaded.records), truth.sources)
    if not total:
        raise InputRejected("no two records are the same", field="--truth", remedy="name the column that is equal for duplicates")
    automatic = [
        truth.same(one, other)
        for one, other in automatic_pairs(loaded.fields, loaded.records)
        if truth.sources is None or truth.sources[one] != truth.sources[other]
    ]
    return {
        "rows": len(loaded.records),
        "fields": [
            {"column": spec.name, "kind": spec.kind, **({"parts": [column for _, column in spec.parts]} if spec.parts else {})}
            for spec in loaded.fields
        ],
        "repeated_columns": loaded.repeated,
        "ignored_columns": loaded.ignored,
        "trained": question.train,
        "true_pairs": total,
        "blocking": {
            "pairs": len(pairs),
            "comparable_pairs": every,
            "reduction_ratio": round(1 - len(pairs) / every, 6) if every else 1.0,
            "pair_completeness": round(sum(same for _, same in weighed) / total, 5),
        },
        "suggestions": at_thresholds(weighed, total, [question.threshold])[0],
        "thresholds": at_thresholds(weighed, total, THRESHOLDS),
        "best": best_of(weighed, total),
        "automatic": {"pairs": len(automatic), "right": sum(automatic), **scores(sum(automatic), len(automatic), total)},
        "weights": {
            spec.name: {level.name: round(weight, 2) for level, weight in zip(model.levels_of(place), weights, strict=True)}
            for place, (spec, weights) in enumerate(zip(model.fields, model.weights, strict=True))
        },
        "took_s": round(took_s, 3),
        "rows_per_s": round(len(loaded.records) / took_s, 1) if took_s else None,
    }


def _loaded(question: Question, shown: Shown) -> _Loaded:
    tables = [table_file(path, encoding=question.encoding, delimiter=question.delimiter) for path in question.files]
    columns = list(dict.fromkeys(name for table in tables for name in table.columns))
    aside = {question.truth, question.id_column, _column(columns, _TRUTHS) if question.truth is None else None}
    fields = (
        mapped_fields(single_pairs(question.maps, columns), columns)
        if question.maps
        else guessed_fields([c for c in columns if c not in aside])
    )
    if not fields:
        raise InputRejected(
            "no column's name is understood", field="--map", remedy=f"kind=column, for some of {', '.join(columns[:40])}"
        )
    found = _Loaded(
        fields=fields,
        ignored=[name for name in columns if name not in {one for spec in fields for one in spec.columns}],
        repeated=[],
        records=[],
        rows=[],
        sources=[],
    )
    asked = [name for name in (question.truth, question.id_column) if name is not None]
    kept = {*asked, *(name for name in columns if folded_column(name) in {*_TRUTHS, *_IDS})}
    for source, table in enumerate(tables):
        for row in table.rows():
            if row.problem:
                raise InputRejected(f"{table.path.name}, row {row.number}: {row.problem}", field="--csv", remedy="repair the row")
            values = {name: _text(row.values.get(name)) for name in {*kept, *(one for spec in fields for one in spec.columns)}}
            found.records.append(record_of(fields, values))
            found.rows.append({name: values[name] for name in kept})
            found.sources.append(source)
            if not row.number % 5_000:
                shown(f"reading {table.path.name}", 0.2 * (source + 0.5) / len(tables))
    if len(found.records) < 2:
        raise InputRejected(f"{len(found.records)} rows", field="--csv", remedy="at least two")
    found.fields, found.records, found.repeated = without_repeats(found.fields, found.records)
    return found


def _truth(question: Question, loaded: _Loaded) -> Truth:
    across = len(question.files) > 1 and not question.within
    sources = loaded.sources if across else None
    columns = list(loaded.rows[0])
    if question.pairs is not None:
        return Truth(pairs=_true_pairs(question, loaded, columns), sources=sources)
    name = question.truth or _column(columns, _TRUTHS)
    if name is None or name not in columns:
        said = f"there is no column {name!r}" if name else "which records are the same is not said"
        raise InputRejected(said, field="--truth", remedy="the column that is equal for duplicates, or --pairs FILE")
    pattern = re.compile(question.truth_pattern) if question.truth_pattern else None
    values = [row[name] for row in loaded.rows]
    if pattern is None and values and all(_RECORD_NUMBER.fullmatch(value) for value in values[:50]):
        pattern = _RECORD_NUMBER
    clusters = []
    for number, value in enumerate(values, start=1):
        found = pattern.search(value) if pattern and value else None
        if pattern and value and (found is None or not found.groups()):
            raise InputRejected(
                f"row {number}: {value!r} does not match",
                field="--truth-pattern",
                remedy="a pattern with one group, like 'rec-(\\d+)'",
            )
        clusters.append(found.group(1) if found else value)
    return Truth(clusters=clusters, sources=sources)


def _true_pairs(question: Question, loaded: _Loaded, columns: Sequence[str]) -> set[tuple[int, int]]:
    assert question.pairs is not None
    table: TableFile = table_file(question.pairs, encoding=question.encoding, delimiter=question.delimiter)
    if len(table.columns) < 2:
        raise InputRejected("a pairs file has two columns of ids", field="--pairs", remedy="left and right")
    left = _column(table.columns, _LEFT) or table.columns[0]
    right = next(name for name in table.columns if name != left)
    id_column = question.id_column or _column(columns, _IDS)
    if id_column is None or id_column not in columns:
        raise InputRejected(
            "which column holds the ids of the pairs?", field="--id", remedy=f"one of {', '.join(columns) or 'the columns'}"
        )
    last = max(loaded.sources)
    lefts = {row[id_column]: place for place, row in enumerate(loaded.rows) if loaded.sources[place] == 0}
    rights = {row[id_column]: place for place, row in enumerate(loaded.rows) if loaded.sources[place] == last}
    labels = [name for name in table.columns if folded_column(name) in ("label", "match", "ismatch", "gold")]
    found = set()
    for row in table.rows():
        if row.problem:
            raise InputRejected(f"row {row.number}: {row.problem}", field="--pairs", remedy="repair the row")
        if labels and _text(row.values[labels[0]]).lower() in ("0", "false", "no", ""):
            continue
        one, other = lefts.get(_text(row.values[left])), rights.get(_text(row.values[right]))
        if one is None or other is None:
            missing = left if one is None else right
            raise InputRejected(
                f"row {row.number}, column {missing!r}: no record has the id {row.values[missing]!r}",
                field="--pairs", remedy="left ids are of the first file, right ids of the last",
            )  # fmt: skip
        found.add((min(one, other), max(one, other)))
    return found


def _column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    return next((column for wanted in names for column in columns if folded_column(column) == folded_column(wanted)), None)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
