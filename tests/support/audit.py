"""``make audit``: licences, the bill of materials, known vulnerabilities. ``python -m tests.support.audit [licences] [bill] [advisories]``.

Ends with 1 when anything is wrong. Licences and the bill need no network; advisories ask the public services, or those named.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.support import advisories, bill, licences

PARTS: Final = ("licences", "bill", "advisories")
BILL: Final = bill.ROOT / "dist" / "santral.cdx.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Says what was looked at and what is wrong; 1 when something is."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.audit", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; all when none is named")
    parser.add_argument("--bill", type=Path, default=BILL, help="where the bill of materials goes")
    parser.add_argument("--requirements", type=Path, default=bill.ROOT / "requirements.lock")
    parser.add_argument("--osv-url", default=advisories.OSV_URL, help="the service of advisories")
    parser.add_argument("--npm-registry", default=None, help="the registry that `npm audit` asks")
    given = parser.parse_args(arguments)
    if unknown := set(given.part) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = given.part or list(PARTS)
    document = bill.installed() if {"licences", "bill"} & set(parts) else {}
    wrong = []
    if "licences" in parts:
        wrong += _told("licences", len(document["components"]), licences.refused(document["components"]))
    if "bill" in parts:
        wrong += _written(document, given.bill)
    if "advisories" in parts:
        answers = (
            advisories.python(given.requirements, osv_url=given.osv_url), advisories.jars(osv_url=given.osv_url),
            advisories.pages(registry=given.npm_registry), advisories.workflows(),
        )  # fmt: skip
        for answer in answers:
            wrong += _told(answer.source, answer.asked, answer.wrong)
    return 1 if wrong else 0


def _written(document: dict[str, Any], path: Path) -> list[str]:
    made = bill.bill_of(document)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fault = bill.faults(made)
    return _told(f"bill of materials ({path.name})", len(made["components"]), [fault] if fault else [])


def _told(source: str, looked_at: int, wrong: Sequence[str]) -> list[str]:
    print(f"{source}: {looked_at} looked at, {len(wrong)} wrong" if wrong else f"{source}: {looked_at} looked at, nothing wrong")
    for line in wrong:
        print(f"  {line}")
    return list(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
