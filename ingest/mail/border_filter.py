"""What the filter at our own border thinks of a mail. Pure; never raises.

Source: Microsoft, "Anti-spam message headers in Microsoft 365" (SCL, SFV, CAT, BCL); rspamd, module milter_headers (X-Spamd-Result,
X-Spam, X-Rspamd-Score, X-Rspamd-Action); SpamAssassin, Mail::SpamAssassin::Conf (X-Spam-Status, X-Spam-Flag, X-Spam-Score).
Trust: a sender can write any of these fields. The inbox's setting ``border_filter`` says which filter our border runs, and so that the
border removes or overwrites that filter's fields on the way in; without it nothing is believed, and no other filter's field ever is.
Of a name that stands there several times only the topmost counts: a border writes above what it was given. Where fields contradict each
other the worst counts, so that nobody can write himself clean.
Units: scores are the filter's own: SCL -1 to 9 for Microsoft, points for the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ingest.mail.headers import Headers, values_of

FilterVerdict = Literal["clean", "bulk", "spam", "phishing"]

FILTERS: Final = ("microsoft", "rspamd", "spamassassin")
"""The filters whose fields are read."""

_WORSE: Final[Mapping[str, int]] = {"clean": 0, "bulk": 1, "spam": 2, "phishing": 3}
_VALUE_CHARS_MAX: Final = 16_000
_NUMBER: Final = r"(-?\d{1,4}(?:\.\d{1,4})?)"
_SPAM_SCL: Final = 5
_BULK_BCL: Final = 7
_CATEGORIES: Final[Mapping[str, FilterVerdict]] = {
    "BULK": "bulk", "SPM": "spam", "HSPM": "spam", "OSPM": "spam", "MALW": "spam", "AMP": "spam", "SAP": "spam",
    "PHSH": "phishing", "HPHSH": "phishing", "HPHISH": "phishing", "SPOOF": "phishing", "DIMP": "phishing", "GIMP": "phishing",
    "UIMP": "phishing", "INTOS": "phishing",
}  # fmt: skip
_SPAM_VERDICTS: Final = {"SPM", "SKS", "SKB", "BLK"}
_SPAM_ACTIONS: Final = {"add header", "rewrite subject", "reject", "soft reject", "quarantine"}
_RSPAMD_RESULT: Final = re.compile(rf"[^:\[\]]{{1,60}}:\s*(True|False)\s*\[{_NUMBER}\s*/\s*{_NUMBER}\]", re.IGNORECASE)
_RSPAMD_PHISHING: Final = re.compile(r"\b(?:PHISHED_\w{1,40}|PHISHING)\(", re.IGNORECASE)
_ASSASSIN_STATUS: Final = re.compile(r"\s*(Yes|No)\b", re.IGNORECASE)
_ASSASSIN_SCORE: Final = re.compile(rf"\b(?:score|hits)={_NUMBER}")
_FIRST_NUMBER: Final = re.compile(rf"\s*{_NUMBER}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BorderVerdict:
    """The worst that the border's filter says. ``score`` None: it gives none."""

    verdict: FilterVerdict
    by: str
    score: float | None = None


def border_verdict(headers: Headers, border_filter: str) -> BorderVerdict | None:
    """What our border's filter says of a mail. ``border_filter`` is one of `FILTERS`, or empty: then nothing is believed.

    None: no setting, or that filter wrote nothing readable.
    """
    readers = {"microsoft": _microsoft, "rspamd": _rspamd, "spamassassin": _spamassassin}
    read = readers.get(border_filter)
    if read is None:
        return None
    verdicts, score = read(headers)
    if not verdicts:
        return None
    return BorderVerdict(verdict=max(verdicts, key=lambda one: _WORSE[one]), by=border_filter, score=score)


def _microsoft(headers: Headers) -> tuple[list[FilterVerdict], float | None]:
    report = _pairs(_topmost(headers, "X-Forefront-Antispam-Report"))
    levels = [
        level for text in (_topmost(headers, "X-MS-Exchange-Organization-SCL"), report.get("SCL", ""))
        if (level := _number(text)) is not None
    ]  # fmt: skip
    verdicts: list[FilterVerdict] = ["spam" if level >= _SPAM_SCL else "clean" for level in levels]
    if "SFV" in report:
        verdicts.append("spam" if report["SFV"].upper() in _SPAM_VERDICTS else "clean")
    if report.get("CAT", "").upper() in _CATEGORIES:
        verdicts.append(_CATEGORIES[report["CAT"].upper()])
    complaints = _number(_pairs(_topmost(headers, "X-Microsoft-Antispam")).get("BCL", ""))
    if complaints is not None and complaints >= _BULK_BCL:
        verdicts.append("bulk")
    return verdicts, max(levels, default=None)


def _rspamd(headers: Headers) -> tuple[list[FilterVerdict], float | None]:
    result = _topmost(headers, "X-Spamd-Result")
    judged = _RSPAMD_RESULT.match(result)
    score = float(judged[2]) if judged else _number(_topmost(headers, "X-Rspamd-Score"))
    verdicts: list[FilterVerdict] = []
    if judged:
        verdicts.append("spam" if judged[1].lower() == "true" or float(judged[2]) >= float(judged[3]) else "clean")
    action = _topmost(headers, "X-Rspamd-Action").strip().lower()
    if action:
        verdicts.append("spam" if action in _SPAM_ACTIONS else "clean")
    if _topmost(headers, "X-Spam").strip().lower() == "yes":
        verdicts.append("spam")
    if score is not None and not verdicts:
        verdicts.append("clean")
    if "spam" in verdicts and _RSPAMD_PHISHING.search(result):
        verdicts.append("phishing")
    return verdicts, score


def _spamassassin(headers: Headers) -> tuple[list[FilterVerdict], float | None]:
    status = _topmost(headers, "X-Spam-Status")
    given = _ASSASSIN_SCORE.search(status)
    score = float(given[1]) if given else _number(_topmost(headers, "X-Spam-Score"))
    verdicts: list[FilterVerdict] = []
    judged = _ASSASSIN_STATUS.match(status)
    if judged:
        verdicts.append("spam" if judged[1].lower() == "yes" else "clean")
    flag = _topmost(headers, "X-Spam-Flag").strip().lower()
    if flag in ("yes", "no"):
        verdicts.append("spam" if flag == "yes" else "clean")
    return verdicts, score


def _topmost(headers: Headers, name: str) -> str:
    return next(iter(values_of(headers, name)), "")[:_VALUE_CHARS_MAX]


def _pairs(text: str) -> dict[str, str]:
    """``CIP:192.0.2.1;SCL:5;…``: the first of each name."""
    found: dict[str, str] = {}
    for piece in text.split(";"):
        name, sign, value = piece.strip().partition(":")
        if sign:
            found.setdefault(name.upper(), value.strip())
    return found


def _number(text: str) -> float | None:
    match = _FIRST_NUMBER.match(text)
    return float(match[1]) if match else None
