"""The new part of a reply: `split_reply(text)`. Pure; never raises; linear. Best effort: the whole text is always kept elsewhere.

Source: RFC 3676 §4.3 (the signature line) and §4.5 (quotes); `ingest.mail.quote_marks` for what programs write above a quote.
Rules: what a program quotes below a marker is cut; ``>`` lines are cut before and after the answer, but kept between answers,
where they are what is being answered; what was sent on is what there is to read, so it stays below a short introduction; when nothing
would be left, nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest.mail.quote_marks import (
    Block,
    attribution_start,
    block_start,
    closes_bracket,
    fold,
    is_forward,
    is_long_rule,
    is_mobile_signature,
    ruled_start,
)

SIGNATURE_LINES_MAX = 20
INTRODUCTION_CHARS_MAX = 500
"""Who writes more than this above what was sent on has said it."""
LINES_MAX = 20_000
"""A longer text is a log, not a letter: it is not split."""
_TEXT, _QUOTE, _EMPTY, _MARK, _SIGNATURE = "t", "q", "e", "m", "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``text``: what is new, never empty when the mail's text is not. ``quoted``: what was cut. ``signature``: below ``--``."""

    text: str
    quoted: str = ""
    signature: str = ""


def split_reply(text: str, *, forwarded: bool = False) -> Reply:
    """The new part, the quote and the signature of a plain text with ``\\n`` line ends. Applying it to its own text is allowed.

    ``forwarded``: the subject says that the mail is sent on, so what a program would quote is what was sent.
    """
    lines = text.split("\n")
    if len(lines) > LINES_MAX:
        return Reply(text=text.strip("\n").rstrip())
    folded = [fold(line) for line in lines]
    kinds = [_kind(folded, at, line) for at, line in enumerate(lines)]
    cut = _mark(kinds, folded)
    _absorb_wrapped(kinds, lines)
    _mark_signatures(kinds[: cut.start], kinds, lines, folded)
    kept = _kept(kinds[: cut.start])
    new = _joined(lines, [index in kept for index in range(len(lines))])
    if (forwarded or cut.is_forward) and len(new) <= INTRODUCTION_CHARS_MAX:
        kept.update(
            at for at in range(len(lines)) if at >= cut.start or kinds[at] == _EMPTY or (forwarded and kinds[at] != _SIGNATURE)
        )
        new = _joined(lines, [index in kept for index in range(len(lines))])
    if not new:
        return Reply(text=text.strip("\n").rstrip())
    return Reply(
        text=new,
        quoted=_joined(lines, [i not in kept and kinds[i] != _SIGNATURE for i in range(len(lines))]),
        signature=_joined(lines, [kind == _SIGNATURE for kind in kinds[: cut.start]]),
    )


def _kind(folded: list[str], at: int, line: str) -> str:
    if not line.strip():
        return _EMPTY
    if not line.lstrip().startswith(">") or (at and closes_bracket(folded[at - 1], folded[at])):
        return _TEXT
    return _QUOTE


def _joined(lines: list[str], chosen: list[bool]) -> str:
    out: list[str] = []
    for line, wanted in zip(lines, chosen, strict=False):
        if wanted and (line.strip() or (out and out[-1].strip())):
            out.append(line.rstrip())
    return "\n".join(out).strip("\n")


def _mark(kinds: list[str], folded: list[str]) -> Block:
    """Mark attributions above ``>`` lines; the first marker below which everything is quoted or sent on, else the text's end."""
    above = _EMPTY
    for at, kind in enumerate(kinds):
        if kind == _QUOTE and above not in (_QUOTE, _MARK) and is_forward(folded[at]):
            return Block(at, is_forward=True)
        if kind == _TEXT:
            if (block := block_start(folded, at)) is not None:
                return block
            below = next((kinds[i] for i in range(at + 1, min(at + 5, len(kinds))) if kinds[i] != _EMPTY), None)
            start = attribution_start(folded, at, quote_follows=below == _QUOTE)
            if start is not None:
                start = ruled_start(folded, start)
            elif below == _QUOTE and is_long_rule(folded[at]):
                start = at
            if start is not None and below != _QUOTE:
                return Block(start, is_forward=False)
            if start is not None:
                kinds[start : at + 1] = [_MARK] * (at + 1 - start)
        above = kinds[at] if kind != _EMPTY else above
    return Block(len(kinds), is_forward=False)


def _absorb_wrapped(kinds: list[str], lines: list[str]) -> None:
    """A short line between two quoted ones, without blank lines, is the rest of a long quoted line."""
    for at in range(1, len(lines) - 1):
        if kinds[at] == _TEXT and kinds[at - 1] == _QUOTE == kinds[at + 1] and len(lines[at - 1]) > 60 and len(lines[at]) < 40:
            kinds[at] = _QUOTE


def _mark_signatures(view: list[str], kinds: list[str], lines: list[str], folded: list[str]) -> None:
    """Mark, from each run of text's end, a telephone's line and what stands below ``--``."""
    run_end = len(view)
    opening = view.index(_TEXT) if _TEXT in view else run_end
    ruled = sum(_is_rule(lines[at]) for at in range(len(view))) > 1
    is_tail = True
    for at in range(len(view) - 1, -1, -1):
        if view[at] in (_QUOTE, _MARK):
            run_end, is_tail = at, True
        elif (
            view[at] == _TEXT and _starts_signature(lines[at], ruled=ruled) and run_end - at <= SIGNATURE_LINES_MAX and opening < at
        ):
            _sign(view, kinds, at, run_end)
            run_end, is_tail = at, True
        elif view[at] == _TEXT and is_tail and is_mobile_signature(folded[at]):
            _sign(view, kinds, at, at + 1)
        elif view[at] == _TEXT:
            is_tail = False


def _sign(view: list[str], kinds: list[str], start: int, end: int) -> None:
    for at in range(start, end):
        view[at] = kinds[at] = _SIGNATURE


def _starts_signature(line: str, *, ruled: bool) -> bool:
    """RFC 3676's dashes with their blank; without it, unless the text has several such lines: those are rules between its parts."""
    return line == "-- " or (not ruled and _is_rule(line))


def _is_rule(line: str) -> bool:
    return line != "-- " and line.rstrip() in {"--", "—", "__"}


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
