"""Our corpus against our readers: what comes out right, by kind and by field. ``make corpus``, or
``python -m tests.support.corpus [mail] [meta] [calls] [--wrong] [--kind KIND] [--raise-floor]``.

Ends with 1 when a kind has fewer right values than `tests/fixtures/corpus/floor.yaml` says; with ``--raise-floor`` it writes the
numbers of today there, never a lower one. The right values are in the corpus; nothing here knows one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from tests.support import corpus_arrivals, corpus_mail
from tests.support.judged import Judged, below, right_values, table, wrong

CORPUS: Final = Path(__file__).resolve().parents[1] / "fixtures" / "corpus"
FLOOR: Final = CORPUS / "floor.yaml"
JUDGES: Final = {"mail": corpus_mail.judge, "meta": corpus_arrivals.judge, "calls": corpus_arrivals.judge}
"""What reads each corpus."""


def kinds(corpus: Path) -> list[str]:
    """The kinds of a corpus: its folders."""
    return sorted(path.parent.name for path in corpus.glob("*/expected.yaml"))


def floors(name: str) -> dict[str, int]:
    """How many values of each kind have to be right; empty when nobody has written any."""
    written = yaml.safe_load(FLOOR.read_text(encoding="utf-8")) if FLOOR.exists() else {}
    return {kind: int(number) for kind, number in (written.get(name) or {}).items()}


def _raise_floor(name: str, counts: Mapping[str, int]) -> None:
    written = yaml.safe_load(FLOOR.read_text(encoding="utf-8")) if FLOOR.exists() else {}
    old = written.get(name) or {}
    written[name] = {**old, **{kind: max(number, old.get(kind, 0)) for kind, number in counts.items()}}
    head = "# How many values of each kind come out right; `make corpus ARGS=--raise-floor` raises them, nothing lowers them.\n"
    FLOOR.write_text(head + yaml.safe_dump(written), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Read the corpora and say how much of each is right; 1 when a kind is below its floor."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.corpus", description=__doc__)
    parser.add_argument("corpus", nargs="*", help=f"{', '.join(JUDGES)}; all when none is named")
    parser.add_argument("--kind", action="append", help="only this kind; may be given several times")
    parser.add_argument("--wrong", action="store_true", help="list what comes out wrong")
    parser.add_argument("--raise-floor", action="store_true", help="write today's numbers as the new floor")
    given = parser.parse_args(arguments)
    if unknown := set(given.corpus) - set(JUDGES):
        parser.error(f"no corpus {', '.join(sorted(unknown))}; there are {', '.join(JUDGES)}")
    judged: list[Judged] = []
    fallen: list[str] = []
    for name in given.corpus or JUDGES:
        found = [
            one for kind in kinds(CORPUS / name) if kind in (given.kind or [kind]) for one in JUDGES[name](CORPUS / name / kind)
        ]
        if given.raise_floor:
            _raise_floor(name, right_values(found))
        fallen += below(right_values(found), floors(name))
        judged += found
    if given.wrong:
        print(wrong(judged), end="\n\n")
    print(table(judged))
    print(f"\n{sum(one.right for one in judged)} of {len(judged)} values right")
    print(*fallen, sep="\n", end="\n" if fallen else "")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
