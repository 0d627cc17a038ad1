"""How much work a parse may be: steps counted where bytes of a few cost much, so that a small mail never is a large one. Pure.

A step is some five microseconds: a piece of an address, an attribute; a tag is two, a field six, a part twenty. Bytes hide what is in
them (base64, encoded words), so what a mail costs is known while it is read and not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[list[int] | None] = ContextVar("steps_left", default=None)


class TooManySteps(Exception):
    """More steps than `at_most` allows. No `ValueError` and no other that a reader takes for broken bytes and goes on after."""


@contextmanager
def at_most(steps: int) -> Iterator[None]:
    """What is read within may take so many steps. Raises `TooManySteps` out of whatever takes the next one; then nothing was read."""
    token = _left.set([steps])
    try:
        yield
    finally:
        _left.reset(token)


def step(count: int = 1) -> None:
    """Counts; nothing outside of `at_most`. Raises `TooManySteps`."""
    left = _left.get()
    if left is None:
        return
    left[0] -= count
    if left[0] < 0:
        raise TooManySteps
