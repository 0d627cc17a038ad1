"""Sequence diagrams of Mermaid drawn as SVG, so that a page needs no script for them and none from elsewhere.

Understood is what our pages use: ``participant X as name`` and arrows ``X->>Y`` (call), ``X-->>Y`` (answer, dashed), ``X-)Y`` (signal, open
head), each with a text; an arrow to oneself is a loop. Colours are the page's own (`currentColor`). **Units**: pixels of the drawing.
Source: Mermaid's documentation, *Sequence diagrams*.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

_PARTICIPANT: Final = re.compile(r"participant (\w+) as (.+)")
_ARROW: Final = re.compile(r"(\w+)(->>|-->>|-\))(\w+): (.+)")
_LANE: Final = 190
_STEP: Final = 40
_TOP: Final = 50


def drawn(diagram: str) -> str:
    """The diagram as one block of HTML. Raises `ValueError` for a line that is not understood."""
    head, *lines = [line.strip() for line in diagram.strip().splitlines() if line.strip()]
    if head != "sequenceDiagram":
        raise ValueError(f"{head} is not drawn here: only sequenceDiagram")
    names: dict[str, str] = {}
    arrows: list[tuple[str, str, str, str]] = []
    for line in lines:
        if participant := _PARTICIPANT.fullmatch(line):
            names[participant[1]] = participant[2]
        elif (arrow := _ARROW.fullmatch(line)) and {arrow[1], arrow[3]} <= names.keys():
            arrows.append((arrow[1], arrow[2], arrow[3], arrow[4]))
        else:
            raise ValueError(f"not understood: {line}")
    places = {name: _LANE * number + _LANE // 2 for number, name in enumerate(names)}
    width, height = _LANE * len(names), _TOP + _STEP * len(arrows) + 30
    parts = [_lane(places[name], label, height) for name, label in names.items()]
    parts += [_arrow(places, arrow, _TOP + _STEP * (number + 1)) for number, arrow in enumerate(arrows)]
    told = escape("; ".join(f"{names[one]} to {names[other]}: {text}" for one, _, other, text in arrows))
    return (
        f'<figure class="drawing"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{told}" font-family="inherit" font-size="13" '
        f'fill="currentColor" stroke="none"><defs>{_head("full", "M0 0 L8 4 L0 8 z", "currentColor")}'
        f"{_head('open', 'M0 0 L8 4 L0 8', 'none')}</defs>{''.join(parts)}</svg></figure>"
    )


def _head(name: str, path: str, fill: str) -> str:
    return (
        f'<marker id="head-{name}" viewBox="-1 -1 10 10" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="{path}" fill="{fill}" stroke="currentColor"/></marker>'
    )


def _lane(at: int, label: str, height: int) -> str:
    return (
        f'<rect x="{at - 75}" y="8" width="150" height="28" rx="5" fill="none" stroke="currentColor"/>'
        f'<text x="{at}" y="27" text-anchor="middle">{escape(label)}</text>'
        f'<line x1="{at}" y1="36" x2="{at}" y2="{height}" stroke="currentColor" stroke-opacity=".25"/>'
    )


def _arrow(places: dict[str, int], arrow: tuple[str, str, str, str], at: int) -> str:
    first, kind, second, text = arrow
    style = f'fill="none" stroke="currentColor" marker-end="url(#head-{"open" if kind == "-)" else "full"})"'
    dashes = ' stroke-dasharray="5 4"' if kind == "-->>" else ""
    if first == second:
        here = places[first]
        return f'<path d="M{here} {at - 10} h24 v14 h-22" {style}{dashes}/><text x="{here + 30}" y="{at + 1}">{escape(text)}</text>'
    middle = (places[first] + places[second]) // 2
    return (
        f'<line x1="{places[first]}" y1="{at}" x2="{places[second]}" y2="{at}" {style}{dashes}/>'
        f'<text x="{middle}" y="{at - 6}" text-anchor="middle">{escape(text)}</text>'
    )
