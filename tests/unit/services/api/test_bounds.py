"""The page of bounds says what is asked."""

from __future__ import annotations

import re

from ingest.parse_worker import ELEMENTS_MAX
from ingest.setting_formats import LISTED_MAX
from router.policy.agent_filter import FILTERS_MAX
from router.policy.plan_document import SKILLS_MAX, STEPS_MAX
from router.signals.signals import OWN_WORD_CHARS_MAX, OWN_WORDS_MAX
from services.api import bounds
from services.api.bounds import Weight, weight_of
from shared.own_addresses import OWN_ADDRESSES_MAX
from tests.support.tables import ROOT

ROW = re.compile(r"^\| (?P<what>.+?) \| (?P<most>[0-9 ]+) \|$", re.MULTILINE)
WORKSPACE = {
    **bounds.BOUNDS, "API keys": bounds.KEYS_MAX, "addresses": OWN_ADDRESSES_MAX, "characters": bounds.SETTINGS_CHARS_MAX,
    "places": bounds.MEMBERSHIPS_MAX, "queues with": bounds.LIMITED_QUEUES_MAX, "filters": FILTERS_MAX,
}  # fmt: skip
THING = {
    "entries": LISTED_MAX, "shifts": bounds.SHIFTS_MAX, "`languages`": bounds.ENTRIES["languages"],
    "words": OWN_WORDS_MAX, "characters of such": OWN_WORD_CHARS_MAX, "messages": ELEMENTS_MAX,
    "`skills` of an agent": bounds.ENTRIES["skills"],
    "`queues`": bounds.ENTRIES["queues"], "`channels`": bounds.ENTRIES["channels"], "`mask_numbers`": bounds.ENTRIES["mask_numbers"],
    "steps": STEPS_MAX, "`skills` of a step": SKILLS_MAX,
}  # fmt: skip


def test_the_page_has_every_bound() -> None:
    page = (ROOT / "docs/reference/bounds.md").read_text("utf-8")
    said = [(row["what"], int(row["most"].replace(" ", ""))) for row in ROW.finditer(page)]
    asked = [*WORKSPACE.items(), *THING.items()]
    assert [most for _, most in said] == [most for _, most in asked]
    assert all(what.startswith(name) for (what, _), (name, _) in zip(said, asked, strict=True))
    assert {bounds.ENTRIES[name] for name in ("languages", "keywords", "channels", "goals_s", "targets_s", "terms")} == {50}


def test_what_an_inbox_weighs() -> None:
    mail = {
        "provider": "smtp",
        "channel": "email",
        "address": "a@b.c",
        "settings": {"aliases": ["x@b.c", "ü@b.c"]},
        "secrets": b"1234",
    }
    assert weight_of(mail) == Weight(own=3, chars=len('{"aliases": ["x@b.c", "ü@b.c"]}') + 4)
    phone = {
        "provider": "asterisk",
        "channel": "phone",
        "address": None,
        "settings": {"numbers": ["1"], "aliases": ["2"]},
        "secrets": None,
    }
    assert weight_of(phone).own == 1
    assert weight_of({"provider": "meta", "settings": {"aliases": [1]}, "secrets": None}).own == 0
    assert weight_of(None) == Weight()
