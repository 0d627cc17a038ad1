"""Facts as the expression engine can hold them. Pure.

One value that it cannot hold fails every expression it is given beside, also those that never ask for it. So each is brought to the nearest
that fits: whole numbers beyond 64 bits as the double they are near (infinite where none is), half character pairs as ``?``, and so
a NUL in a name, where the engine's binding ends it and two names may become one; texts and lists cut where rules stop reading, and what lies
deeper than any rule can ask as nothing.

Source: Common Expression Language, language definition, "Values". **Units**: characters, levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from router.policy.fields import MEMBERS_SEEN, TEXT_CHARS_SEEN

LEVELS_MAX: Final = 32
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1


def fitting(value: Any, levels: int = LEVELS_MAX) -> Any:
    """The value, or the nearest that fits. Idempotent."""
    kind = type(value)
    if kind is str:
        return _text(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return value if _LEAST <= value <= _MOST else _double(value)
    if levels == 0:
        return None
    if (kind is list or kind is dict) and _all_fit(value, levels - 1):
        return value
    if kind is list or kind is tuple:
        return [fitting(one, levels - 1) for one in value[:MEMBERS_SEEN]]
    if kind is dict or isinstance(value, Mapping):
        return {_text(str(name)).replace("\x00", "?"): fitting(one, levels - 1) for name, one in value.items()}
    return _text(str(value))


def _all_fit(values: Any, levels: int) -> bool:
    """Whether nothing in a list or dictionary has to change: asked for every message, so without a call for each value."""
    if type(values) is dict:
        for name in values:
            if type(name) is not str or not name.isascii() or len(name) > TEXT_CHARS_SEEN or "\x00" in name:
                return False
        values = values.values()
    elif len(values) > MEMBERS_SEEN:
        return False
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > TEXT_CHARS_SEEN or not (value.isascii() or _text(value) is value):
                return False
        elif kind is int:
            if not _LEAST <= value <= _MOST:
                return False
        elif kind is list or kind is dict:
            if levels == 0 or not _all_fit(value, levels - 1):
                return False
        elif kind is not bool and kind is not float and value is not None:
            return False
    return True


def _text(value: str) -> str:
    text = value[:TEXT_CHARS_SEEN]
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
