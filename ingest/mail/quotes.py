"""The new part of a reply: `split_reply(text)`. Pure; never raises; linear. Best effort: the whole text is always kept elsewhere.

Source: RFC 3676 §4.3 (the signature line) and §4.5 (quotes); `ingest.mail.quote_marks` for what programs write above a quote.
Rules: what a program quotes below a marker is cut; ``>`` lines are cut before and after the answer, but kept between answers,
where they are what is being answered; when nothing would be left, nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.mail.quote_marks import attribution_start, block_start, fold, is_mobile_signature

SIGNATURE_LINES_MAX = 20
LINES_MAX = 20_000
"""A longer text is a log, not a letter: it is not split."""
_TEXT, _QUOTE, _EMPTY, _MARK, _SIGNATURE = "t", "q", "e", "m", "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``text``: what is new, never empty when the mail's text is not. ``quoted``: what was cut. ``signature``: below ``--``."""

    text: str
    quoted: str = ""
    signature: str = ""


def split_reply(text: str) -> Reply:
    """The new part, the quote and the signature of a plain text with ``\\n`` line ends. Applying it to its own text is allowed."""
    lines = text.split("\n")
    if len(lines) > LINES_MAX:
        return Reply(text=text.strip("\n").rstrip())
    folded = [fold(line) for line in lines]
    kinds = [_EMPTY if not line.strip() else _QUOTE if line.lstrip().startswith(">") else _TEXT for line in lines]
    end = _mark(kinds, folded)
    _absorb_wrapped(kinds, lines)
    _mark_signatures(kinds[:end], kinds, lines, folded)
    kept = _kept(kinds[:end])
    new = _joined(lines, [index in kept for index in range(len(lines))])
    if not new:
        return Reply(text=text.strip("\n").rstrip())
    return Reply(
        text=new,
        quoted=_joined(lines, [i not in kept and kinds[i] != _SIGNATURE for i in range(len(lines))]),
        signature=_joined(lines, [kind == _SIGNATURE for kind in kinds[:end]]),
    )


def _joined(lines: list[str], chosen: list[bool]) -> str:
    out: list[str] = []
    for line, wanted in zip(lines, chosen, strict=False):
        if wanted and (line.strip() or (out and out[-1].strip())):
            out.append(line.rstrip())
    return "\n".join(out).strip("\n")


def _mark(kinds: list[str], folded: list[str]) -> int:
    """Mark attributions above ``>`` lines; the index of the first marker below which everything is quoted, else the length."""
    for at, kind in enumerate(kinds):
        if kind != _TEXT:
            continue
        start = block_start(folded, at)
        if start is not None:
            return start
        below = next((kinds[i] for i in range(at + 1, min(at + 5, len(kinds))) if kinds[i] != _EMPTY), None)
        start = attribution_start(folded, at, quote_follows=below == _QUOTE)
        if start is None:
            continue
        if below != _QUOTE:
            return start
        kinds[start : at + 1] = [_MARK] * (at + 1 - start)
    return len(kinds)


def _absorb_wrapped(kinds: list[str], lines: list[str]) -> None:
    """A short line between two quoted ones, without blank lines, is the rest of a long quoted line."""
    for at in range(1, len(lines) - 1):
        if kinds[at] == _TEXT and kinds[at - 1] == _QUOTE == kinds[at + 1] and len(lines[at - 1]) > 60 and len(lines[at]) < 40:
            kinds[at] = _QUOTE


def _mark_signatures(view: list[str], kinds: list[str], lines: list[str], folded: list[str]) -> None:
    """Mark, from each run of text's end, a telephone's line and what stands below ``--``."""
    run_end = len(view)
    opening = view.index(_TEXT) if _TEXT in view else run_end
    for at in range(len(view) - 1, -1, -1):
        if view[at] in (_QUOTE, _MARK):
            run_end = at
        elif view[at] == _TEXT and _starts_signature(lines[at]) and run_end - at <= SIGNATURE_LINES_MAX and opening < at:
            _sign(view, kinds, at, run_end)
            run_end = at
        elif view[at] == _TEXT:
            tail = all(kind in (_EMPTY, _SIGNATURE) for kind in view[at + 1 : min(run_end, at + 4)])
            if tail and is_mobile_signature(folded[at]):
                _sign(view, kinds, at, at + 1)


def _sign(view: list[str], kinds: list[str], start: int, end: int) -> None:
    for at in range(start, end):
        view[at] = kinds[at] = _SIGNATURE


def _starts_signature(line: str) -> bool:
    return line.rstrip() in {"--", "—", "__"}


def _kept(view: list[str]) -> set[int]:
    """The indexes of the new part."""
    texts = [at for at, kind in enumerate(view) if kind == _TEXT]
    if not texts:
        return set()
    last = texts[-1]
    groups = _groups(view[: last + 1])
    kept = {at for at, kind in enumerate(view[: last + 1]) if kind in (_TEXT, _EMPTY)}
    between = [group for group in groups if texts[0] < group[0]]
    announced = [group for group in groups if group[0] > 0 and _MARK in view[max(0, group[0] - 4) : group[0]]]
    if len(groups) > 1:
        kept.update(at for group in groups for at in group)
    elif between and not announced:
        kept.update(at for group in between for at in group)
    return kept


def _groups(view: list[str]) -> list[list[int]]:
    """Runs of quoted lines; blank lines do not end a run, text does."""
    groups: list[list[int]] = []
    is_open = False
    for at, kind in enumerate(view):
        if kind == _QUOTE:
            if is_open:
                groups[-1].append(at)
            else:
                groups.append([at])
            is_open = True
        elif kind != _EMPTY:
            is_open = False
    return groups
