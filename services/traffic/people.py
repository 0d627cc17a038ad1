"""Two hundred customers who come back, on any channel, and what they do next. Pure: the same seed, the same people and happenings.

Addresses and numbers belong to nobody: ``.example`` domains (RFC 2606), Ofcom's numbers for drama, a Turkish block of zeros.
**Identity**: a person by their number among all; a happening by its number in the run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from services.traffic.corpus import CITIES, CORPUS, DAYS, PRODUCTS, Kind, Said

Channel = Literal["mail", "chat", "api", "phone", "social"]
CHANNELS: Final[tuple[Channel, ...]] = ("mail", "chat", "api", "phone", "social")
PEOPLE: Final = 200
_WEIGHTS: Final[dict[Channel, int]] = {"mail": 30, "chat": 35, "api": 15, "phone": 10, "social": 10}
_KINDS: Final[dict[Kind, int]] = {"question": 40, "complaint": 20, "follow_up": 20, "thanks": 10, "auto_reply": 7, "bounce": 3}
_LATER: Final = ("follow_up", "thanks", "auto_reply")
_NAMES: Final = {
    "tr": (
        "Ayşe Fatma Zeynep Elif Gülşen İpek Özge Şeyma Çiğdem Mehmet Ahmet Mustafa Emre Uğur Oğuz Şükrü İsmail Cem",
        "Yılmaz Kaya Demir Şahin Çelik Yıldız Öztürk Aydın Özdemir Arslan Doğan Kılıç Çetin Koç Güneş Işık",
    ),
    "en": (
        "Olivia Amelia Grace Sophie Hannah Chloe Jack Oliver Harry George Noah Daniel Ryan Liam",
        "Smith Jones Taylor Brown Wilson Evans Thomas Walker Wright O'Brien Murphy Clarke Hughes",
    ),
}  # fmt: skip
_ASCII: Final = str.maketrans("çğıöşüÇĞİÖŞÜ'", "cgiosuCGIOSU-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A customer. ``phone`` is E.164."""

    number: int
    name: str
    language: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing a person does. ``thread`` counts their matters on this channel; ``begins`` opens one, else it goes on."""

    number: int
    channel: Channel
    person: Person
    kind: Kind
    language: str
    subject: str
    text: str = field(repr=False)
    thread: int
    begins: bool
    answered: bool = False


def people(seed: int, count: int = PEOPLE) -> list[Person]:
    """The customers of a seed; seven in ten write Turkish."""
    chance = random.Random(f"people {seed}")  # noqa: S311  believable, not secret
    found = []
    for number in range(count):
        language = "tr" if chance.random() < 0.7 else "en"
        names_of = [names.split() for names in _NAMES[language]]
        first, last = (chance.choice(names) for names in names_of)
        local = f"{first}.{last}{number}".translate(_ASCII).lower()
        phone = f"+90532000{number:04d}" if language == "tr" else f"+442079460{number:03d}"
        domain = "posta.example" if language == "tr" else "mail.example"
        found.append(Person(number=number, name=f"{first} {last}", language=language, email=f"{local}@{domain}", phone=phone))
    return found


def happenings(seed: int, channels: Sequence[Channel]) -> Iterator[Happening]:
    """What happens, without end, on these channels only."""
    chance = random.Random(f"happenings {seed}")  # noqa: S311
    everybody = people(seed)
    threads: dict[tuple[int, Channel], int] = {}
    subjects: dict[tuple[int, Channel], str] = {}
    number = 0
    while True:
        channel = chance.choices(channels, [_WEIGHTS[one] for one in channels])[0]
        # A few write often, most now and then.
        person = everybody[int(len(everybody) * chance.random() ** 1.6)]
        place = (person.number, channel)
        kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        if kind in ("auto_reply", "bounce") and channel != "mail":
            kind = "question"
        if kind in _LATER and place not in threads:
            begun = [one for one in threads if one[1] == channel]
            if begun:
                place = chance.choice(begun)
                person = everybody[place[0]]
            else:
                kind = "question"
        begins = kind in ("question", "complaint")
        if begins:
            threads[place] = threads.get(place, 0) + 1
        said = _said(chance, kind, person)
        subject, text = (_filled(chance, part, person, number) for part in (said.subject, said.text))
        if begins:
            subjects[place] = subject
        elif kind in ("follow_up", "thanks"):
            subject = f"Re: {subjects[place]}" if place in subjects else subject
        yield Happening(
            number=number, channel=channel, person=person, kind=kind, language=said.language, subject=subject, text=text,
            thread=threads.get(place, 0), begins=begins, answered=chance.random() < 0.6,
        )  # fmt: skip
        number += 1


def _said(chance: random.Random, kind: Kind, person: Person) -> Said:
    return chance.choice([one for one in CORPUS if one.kind == kind and (one.language == person.language or kind == "bounce")])


def _filled(chance: random.Random, text: str, person: Person, number: int) -> str:
    language = person.language
    amount = f"{chance.randint(89, 4900):,}"
    amount = amount.replace(",", ".") if language == "tr" else f"£{amount}"
    return text.format(
        order=f"CP-{240000 + person.number * 37 + number % 7}", product=chance.choice(PRODUCTS[language]),
        city=chance.choice(CITIES[language]), day=chance.choice(DAYS[language]), amount=amount,
    )  # fmt: skip
