"""Labelled sets with duplicates, made from a seed: people with slips of the pen as registries have them, contacts with Turkish names,
and places as two guides would list them. The same seed gives the same set."""

# ruff: noqa: SIM905  a list of words reads better as a line of them

from __future__ import annotations

import random
from collections.abc import Callable

GIVEN = (
    "emily jack joshua isabella lachlan sophie thomas jessica william charlotte benjamin chloe matthew georgia daniel olivia samuel "
    "ella nicholas hannah harrison mia ethan grace alexander ruby liam lily noah amelia jacob zoe luke kayla oliver brianna dylan "
    "imogen hugo caitlin mitchell madison aidan alyssa xavier jasmine riley tahlia connor bridget finn keira"
).split()
FAMILY = (
    "white smith jones clarke webb campbell ryan reid green wilson mason morrison harris martin cheel dixon petersen coleman bishop "
    "nguyen lowe burford tiller paterson hawkes sherriff matthews rawlings wyllie stubbs mcgregor paine goode donaldson eglinton "
    "browne kelly marsh houghton leung ashton fowler barnes ingram castley vincent"
).split()
TURKISH_GIVEN = (
    "Ayşe Fatma Emine Hatice Zeynep Elif Meryem Şerife Zehra Sultan Hanife Merve Özlem Gülşen Çiğdem İrem Işıl Mehmet Mustafa Ahmet "
    "Ali Hüseyin Hasan İbrahim İsmail Osman Yusuf Murat Ömer Ramazan Süleyman Gökhan Çağrı Oğuz Tuğba Uğur"
).split()
TURKISH_FAMILY = (
    "Yılmaz Kaya Demir Çelik Şahin Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt Özkan Şimşek "
    "Polat Korkmaz Çakır Erdoğan Güneş Işık Avcı Tekin Bulut Ünal"
).split()
STREETS = (
    "beaurepaire crescent|goodwin street|mackellar circuit|hawker place|barrington crescent|ellerston avenue|dalgarno street|"
    "scantlebury crescent|bonython street|chisholm street|kambalda crescent|atherton street|leist street|hume highway|derby court|"
    "alpen place|krefft street|pinkerton circuit|longmore crescent|bangalay street"
).split("|")
SUBURBS = (
    "toowoomba|port macquarie|frankston|elizabeth vale|caringbah|noosaville|bendigo|st kilda|kellyville|mount gambier|werribee|"
    "glenroy|palm beach|ballarat|bungalow|orange|wodonga|kingscliff|carina|penshurst"
).split("|")
STATES = ("nsw", "vic", "qld", "sa", "wa", "tas", "act")
CITIES = ("İstanbul", "Ankara", "İzmir", "Bursa", "Antalya", "Konya", "Adana", "Gaziantep", "Eskişehir", "Muğla")
COMPANIES = ("Yayla Kahve", "Ege Seramik", "Boğaz Lojistik", "Anadolu Tekstil", "Çınar Yazılım", "Deniz Turizm", "Işık Matbaa")
KINDS = ("grill", "cafe", "house", "kitchen", "bistro", "garden", "tavern", "room", "bar", "palace", "diner", "corner")
WORDS = (
    "golden blue lucky royal old river harbor maple silver moon star lotus olive pepper cedar stone bamboo coral ivory jade lemon "
    "amber willow saffron basil copper velvet orchard lantern sparrow"
).split()
Row = dict[str, str]


def people(count: int, *, seed: int = 1, duplicates: float = 0.5, slips: int = 4) -> list[Row]:
    """People of an English-speaking registry; ``cluster`` is the truth. Up to ``slips`` fields of a duplicate differ."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        original = _person(chance)
        rows.append({**original, "cluster": str(number)})
        while chance.random() < duplicates and len(rows) < 3 * count:
            rows.append({**_slipped(chance, original, chance.randint(1, slips)), "cluster": str(number)})
    chance.shuffle(rows)
    return [{"rec_id": str(place), **row} for place, row in enumerate(rows)]


def contacts(count: int, *, seed: int = 1, duplicates: float = 0.5) -> list[Row]:
    """Contacts of a Turkish company with families at one number: folded letters, married names, another mailbox."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for number in range(count):
        original = _contact(chance)
        if rows and chance.random() < 0.15:  # somebody else of the same household
            relative = rows[-1]
            original |= {"surname": relative["surname"], "phone": relative["phone"], "city": relative["city"]}
        rows.append({**original, "cluster": str(number)})
        if chance.random() < duplicates:
            rows.append({**_retyped(chance, original), "cluster": str(number)})
    chance.shuffle(rows)
    return [{"rec_id": str(place), **row} for place, row in enumerate(rows)]


def restaurants(count: int, *, seed: int = 1, duplicates: float = 0.4) -> list[Row]:
    """Places as two guides list them: words left out, another spelling of the street, a kind of kitchen named differently."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        row = {
            "name": f"{chance.choice(WORDS)} {chance.choice(WORDS)} {chance.choice(KINDS)}",
            "addr": f"{chance.randint(1, 999)} {chance.choice(STREETS).split()[0]} {chance.choice(('st.', 'ave.', 'blvd.', 'rd.'))}",
            "city": chance.choice(SUBURBS),
            "phone": f"{chance.randint(200, 999)}-{chance.randint(200, 999)}-{chance.randint(1000, 9999)}",
            "type": chance.choice(("italian", "french", "american", "asian", "cafes", "seafood")),
        }
        rows.append({**row, "cluster": str(number), "guide": "a"})
        if chance.random() < duplicates:
            other = dict(
                row, guide="b", cluster=str(number), type=chance.choice(("italian (northern)", "american (new)", row["type"]))
            )
            other["phone"] = other["phone"].replace("-", "/", 1) if chance.random() < 0.8 else ""
            if chance.random() < 0.4:
                other["name"] = " ".join(row["name"].split()[: chance.choice((2, 3))])
            if chance.random() < 0.3:
                other["addr"] += f" between {chance.choice(STREETS).split()[0]} and {chance.choice(STREETS).split()[0]}"
            if chance.random() < 0.3:
                other["name"] = _typo(chance, other["name"])
            rows.append(other)
    chance.shuffle(rows)
    return [{"rec_id": str(place), **row} for place, row in enumerate(rows)]


def _person(chance: random.Random) -> Row:
    return {
        "given_name": _skewed(chance, GIVEN),
        "surname": _skewed(chance, FAMILY),
        "street_number": str(chance.randint(1, 250)),
        "address_1": chance.choice(STREETS),
        "address_2": chance.choice(("", "", f"unit {chance.randint(1, 40)}", "rosetta village")),
        "suburb": chance.choice(SUBURBS),
        "postcode": str(chance.randint(2000, 7000)),
        "state": _skewed(chance, STATES),
        "date_of_birth": f"{chance.randint(1910, 1999)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}",
        "soc_sec_id": str(chance.randint(1000000, 9999999)),
    }


def _contact(chance: random.Random) -> Row:
    given, family = _skewed(chance, TURKISH_GIVEN), _skewed(chance, TURKISH_FAMILY)
    return {
        "first_name": given,
        "surname": family,
        "email": f"{_plain(given)}.{_plain(family)}{chance.randint(1, 99)}@{chance.choice(('gmail.com', 'hotmail.com', 'ornek.com.tr'))}",
        "phone": f"+90 5{chance.randint(30, 59)} {chance.randint(100, 999)} {chance.randint(10, 99)} {chance.randint(10, 99)}",
        "city": _skewed(chance, CITIES),
        "company": chance.choice(COMPANIES),
        "dob": f"{chance.randint(1, 28):02d}.{chance.randint(1, 12):02d}.{chance.randint(1950, 2004)}",
    }


def _retyped(chance: random.Random, row: Row) -> Row:
    other = dict(row)
    if chance.random() < 0.6:
        for name in ("first_name", "surname", "city", "company"):
            other[name] = _plain(other[name]) if chance.random() < 0.5 else other[name].upper()
    if chance.random() < 0.5:
        other["phone"] = "0" + row["phone"].removeprefix("+90").replace(" ", "")
    if chance.random() < 0.3:
        other["email"] = chance.choice(("", f"{_plain(row['first_name'])}{chance.randint(100, 999)}@ornek.com.tr"))
    if chance.random() < 0.1 and other["first_name"].lower()[-1] in "aeşm":
        other["surname"] = f"{other['surname']} {chance.choice(TURKISH_FAMILY)}"
    if chance.random() < 0.3:
        other[chance.choice(("phone", "dob", "company", "city"))] = ""
    if chance.random() < 0.3:
        name = chance.choice(("first_name", "surname", "email"))
        other[name] = _typo(chance, other[name])
    return other


def _slipped(chance: random.Random, row: Row, slips: int) -> Row:
    other = dict(row)
    for _ in range(slips):
        if chance.random() < 0.06:
            other["given_name"], other["surname"] = other["surname"], other["given_name"]
            continue
        name = chance.choice(list(row))
        if chance.random() < 0.15:
            other[name] = ""
        elif chance.random() < 0.08:
            other[name] = _person(chance)[name]
        else:
            other[name] = _typo(chance, other[name])
    return other


def _typo(chance: random.Random, text: str) -> str:
    if not text:
        return text
    place = chance.randrange(len(text))
    letter = chance.choice("0123456789" if text[place].isdigit() else "abcdefghijklmnopqrstuvwxyz")
    edits: tuple[Callable[[], str], ...] = (
        lambda: text[:place] + text[place + 1 :],
        lambda: text[:place] + letter + text[place:],
        lambda: text[:place] + letter + text[place + 1 :],
        lambda: text[:place] + text[place : place + 2][::-1] + text[place + 2 :],
    )
    return chance.choice(edits)()


def _plain(text: str) -> str:
    return text.translate(str.maketrans("çğıöşüÇĞİÖŞÜI", "cgiosucgiosui")).lower().replace(" ", "")


def _skewed(chance: random.Random, of: tuple[str, ...] | list[str]) -> str:
    """A few values are common, most are not, as with names of people."""
    return of[min(int(chance.paretovariate(0.9)) - 1, len(of) - 1) if chance.random() < 0.5 else chance.randrange(len(of))]
