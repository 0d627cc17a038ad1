"""What an expression may cost at worst, whatever it is asked about: read from the tree that the engine made of it. Pure.

Measuring is not enough: what stands behind ``&&`` is reached only by the message that its author has in mind. So nothing here is left out for
what comes before it: every branch counts, every loop runs to its end, every text is as long as expressions see one. The engine cannot be
stopped and lets nothing else go on meanwhile, and a loop may double a text each time, so this is what keeps one workspace's expression
from holding up, or taking down, the process of all.

Source: cel-spec, ``proto/cel/expr/checked.proto`` and ``syntax.proto``; Protocol Buffers, "Encoding".
**Units**: seconds of an ordinary processor, roughly and rather too many; sizes in letters and members.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import Unprocessable
from shared.pattern_steps import STEPS_FREE, pattern_steps

SIZE_MAX: Final = 1_000_000
"""What an expression may make of its facts, in letters and members."""
LOOPS_MAX: Final = 10_000  # turns of all loops of an expression together; the engine ends it there
_NODE_S: Final = 6e-8
_ASKED_S: Final = 2e-6
_LETTER_S: Final = 1e-9
_MEMBER_S: Final = 5e-8
_PATTERN_S: Final = 1e-8  # a letter, by table
_STEP_S: Final = 6e-9  # a letter and step
# The engine makes a pattern's program anew each time it is asked: so much, for each step, and for each class of a script's letters.
_MAKING_S: Final = 1e-5
_MAKING_STEP_S: Final = 2e-6
_MAKING_SCRIPT_S: Final = 1.5e-3
_SCRIPT: Final = re.compile(r"\\[pP]")
_STEPS_UNWRITTEN: Final = 100_000  # of a pattern that a fact brings
_COMPARING: Final = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "startsWith", "endsWith"})
_LOGIC: Final = frozenset({"_&&_", "_||_", "!_", "@not_strictly_false", "_?_:_"})


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a value may be: its letters, those of its members among them, its members, and the members of each; 0 for no list or map."""

    letters: int = 0
    members: int = 0
    inner: int = 0

    @property
    def size(self) -> int:
        """Letters and members."""
        return self.letters + self.members * (1 + self.inner)

    @property
    def one(self) -> Shape:
        """A member of it."""
        return Shape(self.letters // max(1, self.members) + 1, self.inner, self.inner)

    def __or__(self, other: Shape) -> Shape:
        return Shape(max(self.letters, other.letters), max(self.members, other.members), max(self.inner, other.inner))

    def __add__(self, other: Shape) -> Shape:
        return Shape(self.letters + other.letters, self.members + other.members, max(self.inner, other.inner))


SCALAR: Final = Shape(20)
ANY: Final = Shape(100_000, 1_000, 100)


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds`` at worst; ``size`` of the largest value that is made."""

    seconds: float
    size: int


def cost_of(serialized: bytes, facts: Mapping[str, Shape]) -> Cost:
    """The cost of an expression as the engine serializes it. ``facts``: shapes by dotted name, ``name.*`` for whatever else it has."""
    checked = _first(_fields(serialized), 2)
    reckoner = _Reckoner(facts)
    reckoner.shape(_first(_fields(checked), 4), 1, {})
    return Cost(_ASKED_S + reckoner.seconds, reckoner.size)


def require_affordable(cost: Cost, *, field: str, seconds_max: float) -> None:
    """Raises `Unprocessable` naming ``field`` where an expression may cost too much, in time or in what it makes."""
    if cost.size > SIZE_MAX:
        raise Unprocessable(
            "makes texts or lists of more than a million letters", field=field, remedy="do not add a text to itself in a loop"
        )
    if cost.seconds > seconds_max:
        raise Unprocessable(
            f"may take {1000 * cost.seconds:.1f} ms", field=field,
            remedy=f"at most {1000 * seconds_max:g} ms at worst; no loop in a loop, no pattern in a loop, small counts in patterns",
        )  # fmt: skip


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of an encoded message, as (number, bytes or whole number)."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        else:
            length, at = _varint(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
            yield tag >> 3, message[at : at + length]
            at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _first(fields: Iterator[tuple[int, Any]], number: int) -> bytes:
    return next((value for found, value in fields if found == number), b"")


class _Reckoner:
    """Walks one tree. ``names`` are a loop's own; ``turns``: how often this place of the tree may be come by."""

    def __init__(self, facts: Mapping[str, Shape]) -> None:
        self._facts = facts
        self.seconds = 0.0
        self.size = 0

    def shape(self, expression: bytes, turns: int, names: Mapping[str, Shape]) -> Shape:
        """The shape of what an expression gives; its cost is added."""
        self.seconds += turns * _NODE_S
        made = SCALAR
        for number, inside in _fields(expression):
            if number == 3:
                made = Shape(len(_text(inside)))
            elif number in (4, 5):
                made = self._named(expression, turns, names)
            elif number == 6:
                made = self._called(expression, inside, turns, names)
            elif number == 7:
                made = self._listed([one for kind, one in _fields(inside) if kind == 1], turns, names)
            elif number == 8:
                made = self._mapped(inside, turns, names)
            elif number == 9:
                made = self._looped(inside, turns, names)
        self.size = max(self.size, made.size)
        return made

    def _named(self, expression: bytes, turns: int, names: Mapping[str, Shape]) -> Shape:
        """A fact, a loop's name, or a member of either."""
        path = _path(expression)
        if path is not None and path[0] not in names:
            return self._facts.get(".".join(path)) or self._facts.get(".".join([*path[:-1], "*"])) or ANY
        if path is not None and len(path) == 1:
            return names[path[0]]
        selected = dict(_fields(_first(_fields(expression), 5)))
        operand = self.shape(selected.get(1, b""), turns, names)
        return SCALAR if selected.get(3) else operand.one

    def _called(self, expression: bytes, call: bytes, turns: int, names: Mapping[str, Shape]) -> Shape:
        parts = list(_fields(call))
        function = _first(iter(parts), 2).decode()
        given = [value for number, value in parts if number in (1, 3)]
        if function == "_[_]" and _path(expression) is not None:
            return self._named(expression, turns, names)
        shapes = [self.shape(one, turns, names) for one in given]
        if function == "matches":
            self.seconds += turns * _matching(shapes, given)
            return SCALAR
        if function == "_?_:_":
            return shapes[1] | shapes[2]
        if function in _LOGIC:
            return SCALAR
        if function in _COMPARING:
            self._looks_at(turns, Shape(min(one.letters for one in shapes), min(one.members for one in shapes)))
            return SCALAR
        if function == "@in":
            # Each member is compared with one value, so no letter of a member is looked at more often than that value has letters.
            self._looks_at(turns, Shape(min(shapes[1].letters, shapes[0].letters * max(1, shapes[1].members)), shapes[1].members))
            return SCALAR
        if function == "_[_]":
            return shapes[0].one
        whole = sum(shapes, Shape())
        self._looks_at(turns, whole)
        return SCALAR if function in ("contains", "size") else whole

    def _looks_at(self, turns: int, shape: Shape) -> None:
        self.seconds += turns * (shape.letters * _LETTER_S + shape.members * _MEMBER_S)

    def _listed(self, members: Sequence[bytes], turns: int, names: Mapping[str, Shape]) -> Shape:
        shapes = [self.shape(one, turns, names) for one in members]
        return Shape(sum(one.letters for one in shapes), len(shapes), max((one.members for one in shapes), default=0))

    def _mapped(self, struct: bytes, turns: int, names: Mapping[str, Shape]) -> Shape:
        entries = [list(_fields(entry)) for number, entry in _fields(struct) if number == 2]
        made = self._listed([one for entry in entries for kind, one in entry if kind in (3, 4)], turns, names)
        return Shape(made.letters, len(entries), made.inner)

    def _looped(self, loop: bytes, turns: int, names: Mapping[str, Shape]) -> Shape:
        parts: dict[int, Any] = dict(_fields(loop))
        over = self.shape(parts.get(2, b""), turns, names)
        begun = self.shape(parts.get(4, b""), turns, names)
        often = min(max(1, over.members), LOOPS_MAX)
        inner = min(turns * often, LOOPS_MAX)
        own = {_word(parts.get(1)): over.one, _word(parts.get(8)): over.one, _word(parts.get(3)): begun}
        inside = {**names, **{name: shape for name, shape in own.items() if name}}
        self.shape(parts.get(5, b""), inner, inside)
        after = self.shape(parts.get(6, b""), inner, inside)
        grown = Shape(
            begun.letters + often * max(0, after.letters - begun.letters),
            begun.members + often * max(0, after.members - begun.members),
            after.inner,
        )
        inside[_word(parts.get(3))] = grown
        return self.shape(parts.get(7, b""), turns, inside)


def _path(expression: bytes) -> Sequence[str] | None:
    """``a.b["c"]`` as its names; None for what is not written as one."""
    for number, inside in _fields(expression):
        if number == 4:
            return [_first(_fields(inside), 1).decode()]
        if number == 5:
            selected: dict[int, Any] = dict(_fields(inside))
            before = None if selected.get(3) else _path(selected.get(1, b""))
            return None if before is None else [*before, selected[2].decode()]
        if number == 6:
            parts = list(_fields(inside))
            if _first(iter(parts), 2) != b"_[_]":
                return None
            where, index = (value for kind, value in parts if kind in (1, 3))
            constant = _first(_fields(index), 3)
            before = _path(where) if constant else None
            return None if before is None else [*before, _text(constant)]
    return None


def _matching(shapes: Sequence[Shape], given: Sequence[bytes]) -> float:
    constant = _first(_fields(given[1]), 3)
    steps = pattern_steps(_text(constant)) if constant else _STEPS_UNWRITTEN
    price = _PATTERN_S + (_STEP_S * steps if steps > STEPS_FREE else 0.0)
    return sum(one.letters for one in shapes) * price + _making(_text(constant) if constant else "", steps)


def _making(pattern: str, steps: int) -> float:
    return _MAKING_S + steps * _MAKING_STEP_S + len(_SCRIPT.findall(pattern)) * _MAKING_SCRIPT_S


def _text(constant: bytes) -> str:
    return next((value.decode("utf-8", "replace") for number, value in _fields(constant) if number in (6, 7)), "")


def _word(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else ""
