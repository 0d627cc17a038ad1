"""Which language a text is in, among those a workspace speaks; and whether it says enough to change a conversation's.

Addresses, numbers and words of everywhere (ok, super, haha) say nothing. Letters of a script that only one of the languages is written in
say it at once; in one script the model is asked, and a short text's answer is a guess: good where nobody knows, too weak to change what
is known. What the model finds no likelier than chance is no answer.

The model is read at first use, or by :func:`load` before work starts (it takes half a second, off the event loop).

Source: `py3langid`; Unicode, names of characters (their first word is the script). **Units**: confidence 0..1.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

CHARS_LOOKED_AT: Final = 120
LETTERS_MIN: Final = 4
LETTERS_OF_A_SCRIPT_MIN: Final = 2
LETTERS_SURE: Final = 12
CONFIDENCE_MIN: Final = 0.4
CONFIDENCE_SURE: Final = 0.8
_ABOVE_CHANCE: Final = 1.25
_TURKISH_LETTERS: Final = frozenset("ğşıİĞŞ")
_WITHOUT_THEM: Final = frozenset({"tr", "en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "fi"})
_NO_WORDS: Final = re.compile(
    r"https?://\S+|www\.\S+|\S+@\S+|\S*\d\S*|\b(?:ok+(?:ay|ey|i|ie|e)?|o\.k\.|super|wow|lol|bravo|stop|hm+|m{2,}|a{2,}|o+h+|(?:[hjx][aeiı]){2,}h?)\b",
    re.IGNORECASE,
)
_SCRIPTS: Final[Mapping[str, frozenset[str]]] = {
    script: frozenset(languages.split())
    for script, languages in {
        "ARABIC": "ar fa ur ps ug ku", "CYRILLIC": "ru uk be bg mk sr kk ky mn", "GREEK": "el", "HEBREW": "he", "ARMENIAN": "hy",
        "GEORGIAN": "ka", "CJK": "zh ja", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "THAI": "th", "DEVANAGARI": "hi mr ne",
        "BENGALI": "bn as", "TAMIL": "ta", "TELUGU": "te", "ETHIOPIC": "am",
    }.items()
}  # fmt: skip
_ALSO_LATIN: Final = frozenset({"sr", "ku"})
_NOT_LATIN: Final = frozenset[str]().union(*_SCRIPTS.values()) - _ALSO_LATIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a text says of its language; ``language`` empty: nothing. Only what ``is_sure`` changes a language that is known."""

    language: str = ""
    confidence: float = 0.0
    is_sure: bool = False


NOTHING: Final = Heard()


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


def language_of(text: str, languages: Sequence[str]) -> Heard:
    """What a text says; ``languages`` are the workspace's; with one there is nothing to find out."""
    if len(languages) < 2:
        return Heard(language=languages[0], confidence=1.0, is_sure=True) if languages else NOTHING
    said = _NO_WORDS.sub(" ", text[:CHARS_LOOKED_AT])
    scripts = Counter(unicodedata.name(one, "").partition(" ")[0] for one in said if one.isalpha())
    if not scripts:
        return NOTHING
    (script, letters), *_ = scripts.most_common(1)
    written = tuple(one for one in languages if _is_written_in(one, script))
    if script != "LATIN" and len(written) == 1 and letters >= LETTERS_OF_A_SCRIPT_MIN:
        return Heard(language=written[0], confidence=0.99, is_sure=letters >= LETTERS_MIN)
    if not written or letters < LETTERS_MIN:
        return NOTHING
    if "tr" in written and _WITHOUT_THEM.issuperset(written) and not _TURKISH_LETTERS.isdisjoint(said):
        return Heard(language="tr", confidence=0.99, is_sure=letters >= LETTERS_SURE)
    model = _restricted(written)
    if model is None:
        return Heard(language=written[0])
    language, confidence = model.classify(said)
    if confidence < max(CONFIDENCE_MIN, _ABOVE_CHANCE / len(written)):
        return NOTHING
    is_sure = confidence >= CONFIDENCE_SURE and letters >= LETTERS_SURE
    return Heard(language=str(language), confidence=round(float(confidence), 3), is_sure=is_sure)


def _is_written_in(language: str, script: str) -> bool:
    return language in _SCRIPTS.get(script, ()) if script != "LATIN" else language not in _NOT_LATIN
