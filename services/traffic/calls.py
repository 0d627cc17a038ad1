"""A telephone call as Asterisk's rows. Source: `cdr_csv`, with ``loguniqueid``, ``loguserfield`` and ``newcdrcolumns`` on."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Final

from services.traffic.people import Happening

_AGENTS: Final = ("101", "102", "103")
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def cdr_rows(happening: Happening, *, tag: str, ended_at: datetime) -> str:
    """The rows of one call: a queue rings one telephone in vain, and then a second one answers, or nobody does."""
    person, call_id = happening.person, f"{tag}.{happening.number}"
    wait_s, talk_s = 6 + happening.number % 40, 30 + happening.number * 7 % 400
    total_s = wait_s + (talk_s if happening.answered else 0)
    start = ended_at - timedelta(seconds=total_s)
    number = "0" + person.phone.removeprefix("+90") if person.phone.startswith("+90") else "00" + person.phone.removeprefix("+")
    first = _AGENTS[person.number % len(_AGENTS)]
    rows = [(first, "", 0, "NO ANSWER")]
    if happening.answered:
        second = _AGENTS[(person.number + 1) % len(_AGENTS)]
        rows.append((second, (start + timedelta(seconds=wait_s)).strftime(_TIME), talk_s, "ANSWERED"))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for sequence, (agent, answer, billsec, disposition) in enumerate(rows):
        unique = f"{call_id}.{sequence}"
        writer.writerow(
            [
                "", number, "5000", "from-trunk", f'"{person.name}" <{number}>', f"PJSIP/trunk-{happening.number:08x}",
                f"PJSIP/{agent}-{happening.number + sequence:08x}", "Queue", "support,tr", start.strftime(_TIME), answer,
                ended_at.strftime(_TIME), total_s, billsec, disposition, "DOCUMENTATION", unique, "", "", call_id, sequence,
            ]
        )  # fmt: skip
    return text.getvalue()
