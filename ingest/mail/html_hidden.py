"""What a page hides from its reader by attribute or style: preheaders, texts for other programs. Pure; linear.

Source: WHATWG HTML §6.1 (hidden), CSS 2.2 §9.2.4 and §11 (display, visibility, overflow), CSS Fonts (font-size), and newsletters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_DECLARATION = re.compile(r"([a-z-]{1,40})\s?:\s?([^;]{1,80})")
_NOTHING = re.compile(r"0?(?:\.0{1,4})?0?(?:px|pt|em|rem|%)?(?:\s?!important)?")
_SPECK = re.compile(r"(?:0?\.\d{1,4}|1)(?:px|pt)(?:\s?!important)?")
_STYLE_CHARS_MAX = 4_000
_HIDING = re.compile(
    r"display\s?:\s?none|visibility\s?:\s?hidden|opacity\s?:\s?[0.]|height\s?:\s?[0.]|mso-hide|font-size\s?:\s?(?:[0.]|1p)",
    re.IGNORECASE,
)

# Invisible letters that push what follows out of a preview. Joiners are letters between letters (Persian, emoji) and stay there.
_ALWAYS_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]+")
_JOINERS = re.compile("[\u034f\u200c\u200d\u200e\u200f]+")


def declarations(style: str, *, sized: bool = False) -> dict[str, str]:
    """The lower-cased declarations of a style attribute that may hide something; usually none, at the price of one search.

    ``sized``: sizes of letters count, too, as those of the elements around are known.
    """
    if not style or not (_HIDING.search(style, 0, _STYLE_CHARS_MAX) or (sized and "font" in style.lower())):
        return {}
    return {
        match[1]: " ".join(match[2].split()) for match in _DECLARATION.finditer(" ".join(style[:_STYLE_CHARS_MAX].lower().split()))
    }


def is_hidden(attributes: Mapping[str, str], style: Mapping[str, str]) -> bool:
    """Whether an element hides all that is in it, whatever its children say.

    ``mso-hide`` alone hides from one program only (buttons that others do see): it counts beside a second sign.
    """
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    if not style:
        return False
    if style.get("display", "").startswith("none") or style.get("visibility", "").startswith("hidden"):
        return True
    if _is_nothing(style.get("opacity", "")):
        return True
    flat = _is_nothing(style.get("max-height", "")) or _is_nothing(style.get("height", ""))
    if flat and style.get("overflow", "").startswith("hidden"):
        return True
    told = style.get("mso-hide", "").startswith("all")
    return told and (flat or font_is_nothing(style) is True or style.get("color", "").startswith("transparent"))


def font_is_nothing(style: Mapping[str, str]) -> bool | None:
    """Whether letters get no size here; None when the element says nothing about it. Children may give themselves one."""
    size = style.get("font-size", "")
    if not size:
        return False if "font" in style else None
    return _is_nothing(size) or bool(_SPECK.fullmatch(size.strip()))


def _is_nothing(value: str) -> bool:
    return bool(value) and bool(_NOTHING.fullmatch(value.strip()))


def without_invisible(line: str) -> str:
    """The line without zero-width letters, except joiners between two visible letters."""
    if line.isascii():
        return line
    shown = _ALWAYS_INVISIBLE.sub("", line)
    return _JOINERS.sub(lambda run: run[0] if _between_letters(shown, run.start(), run.end()) else "", shown)


def _between_letters(line: str, start: int, end: int) -> bool:
    return start > 0 and end < len(line) and not line[start - 1].isspace() and not line[end].isspace()


class OpenStack:
    """Names of open elements. Each open and close costs the same, however deep and however wrongly nested the page is."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, bool]] = []
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def flag(self) -> bool:
        """What the innermost element was pushed with; False when none is open."""
        return bool(self._entries) and self._entries[-1][1]

    def is_only(self, name: str) -> bool:
        return len(self._entries) == 1 and self._entries[0][0] == name

    def __contains__(self, name: str) -> bool:
        return bool(self._counts.get(name))

    def push(self, name: str, *, flag: bool = False) -> None:
        self._entries.append((name, flag))
        self._counts[name] = self._counts.get(name, 0) + 1

    def pop(self, name: str) -> bool:
        """Close the innermost element of that name with all that stand open in it; False when none is open."""
        if name not in self:
            return False
        while True:
            closed, _ = self._entries.pop()
            self._counts[closed] -= 1
            if closed == name:
                return True

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()
