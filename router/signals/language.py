"""Which language a text is in, among those a workspace speaks. A text without four letters keeps the conversation's.

The model is read at first use, or by :func:`load` before work starts (it takes half a second, off the event loop).

Source: `py3langid`. **Units**: confidence 0..1.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

LETTERS_MIN: Final = 4
CHARS_LOOKED_AT: Final = 120
CONFIDENCE_MIN: Final = 0.5
_TURKISH_LETTERS: Final = frozenset("ğşıİĞŞ")
_WITHOUT_THEM: Final = frozenset({"tr", "en", "de", "fr", "es", "it", "nl", "pt", "ru", "ar", "el", "pl", "sv", "da", "fi"})


@lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@lru_cache(maxsize=256)
def _restricted(languages: tuple[str, ...]) -> Any:
    """The model that knows these languages only; None when fewer than two of them are known to it."""
    model = _model()
    known = [language for language in languages if language in model.labels]
    if len(known) < 2:
        return None
    # A shallow copy shares the tables; restricting replaces only the copy's views of them.
    own = copy.copy(model)
    own.set_languages(known)
    return own


def load() -> None:
    """Reads the model now. Calling it again does nothing."""
    _model()


def language_of(text: str, languages: Sequence[str], *, before: str = "") -> tuple[str, float]:
    """``(language, confidence)``; ``before`` is the conversation's or the profile's, kept when the text says too little.

    ``languages`` are the workspace's; with one there is nothing to find out. Empty when nobody knows.
    """
    if not languages:
        return before, 0.0
    if len(languages) == 1:
        return languages[0], 1.0
    looked_at = text[:CHARS_LOOKED_AT]
    if sum(map(str.isalpha, looked_at)) < LETTERS_MIN:
        return before, 0.0
    if "tr" in languages and _WITHOUT_THEM.issuperset(languages) and not _TURKISH_LETTERS.isdisjoint(looked_at):
        return "tr", 0.99
    model = _restricted(tuple(languages))
    if model is None:
        return before or languages[0], 0.0
    language, confidence = model.classify(looked_at)
    if confidence < CONFIDENCE_MIN and before:
        return before, round(confidence, 3)
    return str(language), round(confidence, 3)
