"""What can be seen in one message by itself: a machine writing, urgency, a complaint, only thanks. No I/O, no model, no guess.

Word lists are stems, folded as Turkish text is compared, matched where a word begins, so `iade` finds "iadem" and "İADE". A
workspace adds words of its own under ``keywords`` in its settings: ``{"complaint": [...], "urgent": [...],
"person": [...]}``; the last are ways to ask for somebody who is no bot. Beyond `OWN_WORDS_MAX` words a list, and `OWN_WORD_CHARS_MAX`
characters a word, they do not count.

What an adapter saw of a machine (`shared.message.Automatic`) becomes a machine's word or a mark here, and nowhere else: mail that is only
marked (``marked_only``: a list, a header that forbids automatic answers) is a person's where the workspace's ``marked_mail`` is ``work``.
**Units**: urgency 0..1, a sum that names its parts in ``keywords``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

from router.signals.language import Heard, language_of
from router.signals.stems import Places, Stems
from shared.message import InboundMessage
from shared.text import fold_turkish

TEXT_LOOKED_AT: Final = 2000
OWN_WORDS_MAX: Final = 500
OWN_WORD_CHARS_MAX: Final = 100
KEPT_MAX: Final = 256
_FOLDED_AT_ONCE: Final = 250
THANKS_CHARS_MAX: Final = 80
_COMPLAINT: Final = (
    "sikayet", "rezalet", "rezil", "berbat", "magdur", "dolandir", "kandir", "tuketici hak", "hakem heyeti", "savci", "mahkeme",
    "avukat", "skandal", "utanc verici", "ilgilenmiyor", "bir daha asla", "kustah", "saygisiz", "bozuk geldi", "kirik geldi",
    "complain", "unacceptable", "terrible", "awful", "horrible", "disgrace", "scam", "fraud", "lawyer", "sue you", "worst",
    "ridiculous", "appalling", "rip off", "ripped off", "never again", "disappointed",
)  # fmt: skip
_URGENT: Final = (
    "acil", "ivedi", "hemen", "derhal", "bir an once", "cok onemli", "bugun icinde", "hala gelmedi", "bekliyorum hala", "imdat",
    "urgent", "asap", "immediately", "right now", "right away", "emergency", "as soon as possible", "time sensitive", "critical",
)  # fmt: skip
_PERSON: Final = (
    "temsilci", "insanla gorus", "insana bagla", "insanla konus", "gercek kisi", "gercek bir kisi", "gercek insan", "gercek bir insan",
    "yetkili biri", "yetkiliyle", "canli destek", "biriyle gorus", "biriyle konus", "birine bagla", "operatore bagla", "robot istemiyorum",
    "real person", "real human", "human being", "a human", "human agent", "talk to someone", "speak to someone", "talk to a person",
    "speak to a person", "live agent", "representative", "customer service agent", "not a bot",
)  # fmt: skip
_THANKS: Final = frozenset(
    """
    tesekkur tesekkurler tesekkurlerimle tesekkurederim sagol sagolun sagolasin saolun eyvallah tsk tskler mersi
    minnettarim thanks thank thx ty tysm cheers appreciated thankyou
    """.split()  # noqa: SIM905
)
_AROUND_THANKS: Final = frozenset(
    """
    ederim ederiz cok sag ol olun size sizlere sana icin her sey hersey yardiminiz yardimlariniz ilginiz ilginize
    tamam tamamdir peki super harika iyi gunler aksamlar geceler calismalar kolay gelsin oldu hallettim halloldu
    tekrar simdiden da de you so much very many a lot for your the help all again ok okay great perfect got it
    awesome works fine now have nice good day much bye
    """.split()  # noqa: SIM905
)
_WORDS: Final = re.compile(r"[^\W\d_]+")
_TURKISH: Final = str.maketrans("İIıçğöşüÇĞÖŞÜâîûÂÎÛ", "iiicgosucgosuaiuaiu")
MarkedMail = Literal["work", "aside"]
"""What a workspace does with mail that is marked and not seen to be a machine's: work like any other, or kept out of it."""
_AUTOMATIC_KINDS: Final = {"auto_reply": "auto_reply", "out_of_office": "auto_reply", "disposition": "auto_reply"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A workspace's word lists, ready to be looked for."""

    complaint: Stems
    urgent: Stems
    person: Stems


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What was seen. ``language`` empty: the text says nothing of it; where it is not ``language_sure`` a known one counts (`said_after`).

    ``do_not_answer``: no machine of ours may answer it; ``marks`` name what says so, a field or a part each.
    ``label``, ``labels`` (the surest first) and ``model`` are an operator's own classifier's, empty without one.
    """

    language: str = ""
    language_confidence: float = 0.0
    language_sure: bool = False
    urgency: float = 0.0
    complaint: bool = False
    thanks: bool = False
    person: bool = False
    shouting: bool = False
    auto_reply: bool = False
    bounce: bool = False
    bulk: bool = False
    echo: bool = False
    spam: bool = False
    do_not_answer: bool = False
    marks: Sequence[str] = ()
    repeat_contact: bool = False
    keywords: Sequence[str] = ()
    label: str = ""
    label_confidence: float = 0.0
    labels: Sequence[str] = ()
    model: str = ""

    @property
    def automatic(self) -> bool:
        """A machine wrote: stored and shown, but it wakes nobody."""
        return self.auto_reply or self.bounce or self.bulk or self.echo

    def said_after(self, before: str) -> Signals:
        """The same, in a conversation whose language is known to be ``before``; empty while nobody knows."""
        return self if self.language_sure or not before else replace(self, language=before)

    def repeated(self) -> Signals:
        """The same, when the customer writes again before anybody answered."""
        return replace(
            self, repeat_contact=True, urgency=min(1.0, round(self.urgency + 0.2, 2)), keywords=(*self.keywords, "repeat_contact")
        )

    def values(self) -> dict[str, Any]:
        """As rules and rows see them."""
        return {
            "language_confidence": self.language_confidence,
            "urgency": self.urgency,
            "complaint": self.complaint,
            "thanks": self.thanks,
            "person": self.person,
            "shouting": self.shouting,
            "auto_reply": self.auto_reply,
            "bounce": self.bounce,
            "bulk": self.bulk or self.echo,
            "spam": self.spam,
            "do_not_answer": self.do_not_answer,
            "marks": list(self.marks),
            "repeat_contact": self.repeat_contact,
            "keywords": list(self.keywords),
            "label": self.label,
            "label_confidence": self.label_confidence,
            "labels": list(self.labels),
            "model": self.model,
        }


@lru_cache(maxsize=KEPT_MAX)
def _words(complaint: tuple[str, ...], urgent: tuple[str, ...], person: tuple[str, ...]) -> Words:
    return Words(
        complaint=_stems((*_COMPLAINT, *complaint)), urgent=_stems((*_URGENT, *urgent)), person=_stems((*_PERSON, *person))
    )


def words_of(keywords: Mapping[str, Any] | None = None) -> Words:
    """The shipped lists with a workspace's own words; equal settings give the same object."""
    lists = (own_words((keywords or {}).get(name)) for name in ("complaint", "urgent", "person"))
    return _words(*(tuple(word[:OWN_WORD_CHARS_MAX] for word in words[:OWN_WORDS_MAX]) for words in lists))


def own_words(given: Any) -> list[str]:
    """The words of one list as it stands in the settings: plain, or by language (``{"tr": [...]}``), which are looked for in every text."""
    lists = list(given.values()) if isinstance(given, Mapping) else [given]
    return [str(word) for one in lists if isinstance(one, list | tuple) for word in one]


def signals_of(
    message: InboundMessage, *, words: Words, languages: Sequence[str] = (), marked_mail: MarkedMail = "aside"
) -> Signals:
    """What the message shows by itself; the same message gives the same signals in a workspace with the same settings."""
    seen_of_a_machine = message.automatic
    person = seen_of_a_machine is not None and seen_of_a_machine.marked_only and marked_mail == "work"
    automatic = "" if seen_of_a_machine is None or person else seen_of_a_machine.kind
    text = message.text_stripped or message.text
    told = Heard(language=message.language[:2], confidence=1.0, is_sure=True) if message.language else language_of(text, languages)
    looked_at = f"{message.subject} {text[:TEXT_LOOKED_AT]}"
    places = Places(_folded_briefly(looked_at))
    shouting = _shouts(looked_at)
    seen: list[str] = []
    urgency = 0.0
    complaint = words.complaint.first_in(places)
    if complaint is not None:
        seen.append(complaint)
    urgent = words.urgent.first_in(places)
    if urgent is not None:
        seen.append(urgent)
        urgency += 0.6
    if shouting:
        seen.append("shouting")
        urgency += 0.2
    if looked_at.count("!") >= 2:
        seen.append("exclamation")
        urgency += 0.2
    return Signals(
        language=told.language, language_confidence=told.confidence, language_sure=told.is_sure,
        urgency=round(urgency, 2), complaint=complaint is not None,
        thanks=not message.parts and only_thanks(text), person=words.person.first_in(places) is not None, shouting=shouting,
        auto_reply=automatic in _AUTOMATIC_KINDS, bounce=automatic in ("bounce", "feedback"), bulk=automatic == "bulk",
        echo=automatic == "echo", keywords=tuple(seen), do_not_answer=seen_of_a_machine is not None,
        marks=() if seen_of_a_machine is None else seen_of_a_machine.evidence,
    )  # fmt: skip


def only_thanks(text: str) -> bool:
    """Whether the text thanks and says nothing else. A bare "ok" is an answer, not thanks."""
    if not text or len(text) > THANKS_CHARS_MAX or "?" in text or any(character.isdigit() for character in text):
        return False
    said = _WORDS.findall(folded_text(text))
    thanked = any(word in _THANKS for word in said) or {"sag", "ol"} <= set(said) or {"sag", "olun"} <= set(said)
    return thanked and all(word in _THANKS or word in _AROUND_THANKS for word in said)


def folded_text(text: str) -> str:
    """`fold_turkish`, with a short way for texts whose only marked letters are the Turkish ones."""
    short = text.translate(_TURKISH).lower()
    return short if short.isascii() else fold_turkish(text)


def _folded_briefly(text: str) -> str:
    """The fold, no longer than twice the text: some single characters unfold to eighteen, and a text of them waits for nobody's fold."""
    folded = ""
    for at in range(0, len(text), _FOLDED_AT_ONCE):
        folded += folded_text(text[at : at + _FOLDED_AT_ONCE])
        if len(folded) > 2 * len(text):
            return folded[: 2 * len(text)]
    return folded


def _stems(stems: Sequence[str]) -> Stems:
    return Stems(folded_text(stem.strip()) for stem in stems)


def _shouts(text: str) -> bool:
    """At least twelve letters, most of them capitals."""
    looked_at = text[:160]
    capitals = sum(map(str.isupper, looked_at))
    return capitals >= 9 and (letters := sum(map(str.isalpha, looked_at))) >= 12 and capitals > 0.7 * letters
