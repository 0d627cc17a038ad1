"""The words by which a person is found: names, handles and attribute values, folded, one text per profile. Pure.

What is stored and what is asked go through the same fold, so ``İSMAİL``, ``Ismail`` and ``ısmail`` are one word. An e-mail address
is there whole and in parts; a number by all its digits and by its last ones, as people write it without its country; an attribute
also as ``name=value``, for filters.

Source: PostgreSQL, Text Search Types (how a tsquery quotes a lexeme). **Identity**: the sorted set of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from shared.telephone import one_form
from shared.text import fold_turkish

WORDS_MAX: Final = 400
WORD_CHARS_MAX: Final = 100
_VALUE_WORDS_MAX: Final = 32
_LAST_DIGITS: Final = (11, 10, 7, 4)
_NUMBER_KINDS: Final = frozenset({"phone", "wa_id"})
_WORD: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"\+?[\d\s()./-]{4,}")
_SUFFIX: Final = re.compile(r"['’]\w*")  # Ayşe'nin: what follows the apostrophe is grammar


class Named(NamedTuple):
    """A handle as far as searching goes."""

    kind: str
    value: str
    name: str


class Words:
    """The words of attribute values met before: a list of customers says the same cities again and again. For one batch only."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, name: str, value: str) -> tuple[str, ...]:
        """The words of one value of an attribute."""
        found = self._of.get((name, value))
        if found is None:
            found = self._of[name, value] = (*_words(value), attribute_word(name, value))
        return found


def search_text(handles: Iterable[Named], effective: Mapping[str, Any], words: Words | None = None) -> str:
    """The words of a person, separated by blanks; ``effective`` is what is kept beside the profile. ``words``: see `Words`."""
    found: set[str] = set()
    words = words or Words()
    for handle in handles:
        found.update(_of_handle(handle))
    for name, kept in effective.items():
        for value in _scalars(kept.get("value") if isinstance(kept, Mapping) else None):
            found.update(words.of(name, value))
    return " ".join(sorted({word[:WORD_CHARS_MAX] for word in found if word})[:WORDS_MAX])


def search_query(text: str, attributes: Mapping[str, Any] | None = None) -> str:
    """The tsquery for what somebody typed: every word has to begin a word of the person; empty when nothing can be searched."""
    asked = [_any_of(words) for words in _asked(text)]
    asked += [_quoted(attribute_word(name, str(value))[:WORD_CHARS_MAX]) for name, value in sorted((attributes or {}).items())]
    return " & ".join(asked)


def attribute_word(name: str, value: str) -> str:
    """The word that a filter on an attribute looks for."""
    return f"{_joined(name)}={'_'.join(_words(value))}"


def _asked(text: str) -> Iterator[tuple[str, ...]]:
    """The words that are looked for, each with the other ways to write it."""
    if _NUMBER.fullmatch(text.strip()):
        digits = "".join(c for c in text if c.isdigit()).lstrip("0")
        if digits:
            yield _numbers(digits)
            return
    for piece in text.split():
        if "@" in piece:
            yield (_joined(piece)[:WORD_CHARS_MAX],)
        else:
            yield from ((word[:WORD_CHARS_MAX],) for word in _words(_SUFFIX.sub("", piece)))


def _any_of(words: tuple[str, ...]) -> str:
    either = " | ".join(f"{_quoted(word)}:*" for word in words)
    return f"({either})" if len(words) > 1 else either


def _numbers(digits: str) -> tuple[str, ...]:
    """A number as it is written, and in its one form."""
    return tuple(dict.fromkeys((digits, one_form(f"+{digits}")[1:])))


def _of_handle(handle: Named) -> Iterator[str]:
    yield from _words(handle.name)
    if handle.kind in _NUMBER_KINDS:
        for digits in _numbers("".join(c for c in handle.value if c.isdigit())):
            yield from (digits[-length:] for length in (len(digits), *_LAST_DIGITS) if digits)
        return
    yield _joined(handle.value)
    yield from _words(handle.value)


def _words(text: str) -> list[str]:
    return _WORD.findall(fold_turkish(text))[:_VALUE_WORDS_MAX]


def _joined(text: str) -> str:
    return "_".join(fold_turkish(text).split())


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _scalars(part)
    elif isinstance(value, list):
        for part in value:
            yield from _scalars(part)
    elif value is not None:
        yield str(value)


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
