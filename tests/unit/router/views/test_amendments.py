"""A message as it stands after edits, deletions and reactions, in whatever order they came, and by whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.views.amendments import AMENDMENTS_MAX, Amendment, Amendments, Standing
from router.views.messages import preview_of

INBOX, AYSE, HER_OTHER, BERK, PERSON = uuid4(), uuid4(), uuid4(), uuid4(), uuid4()
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
MESSAGE: dict[str, Any] = {
    "id": uuid4(), "inbox_id": INBOX, "external_id": "wamid.1", "direction": "in", "kind": "text", "handle_id": AYSE,
    "writer_profile_id": PERSON, "text": "Yarın gelin", "at": NOON, "body": {"text_stripped": "Yarın", "traits": {}},
}  # fmt: skip


def amendment(kind: str, text: str = "", *, after_s: int = 60, seq: int = 9, **more: Any) -> Amendment:
    base: dict[str, Any] = {
        "seq": seq, "id": uuid4(), "kind": kind, "direction": "in", "inbox_id": INBOX, "handle_id": AYSE, "profile_id": PERSON,
        "handle_value": "905320000001", "text": text, "call": None, "names": "wamid.1", "at": NOON + timedelta(seconds=after_s),
    }  # fmt: skip
    return Amendment(**{**base, **more})


def stands(*given: Amendment, **message: Any) -> Standing:
    return Amendments.of(given).standing({**MESSAGE, **message})


def test_what_nobody_amended_stands_as_it_came() -> None:
    now = stands(amendment("edit", "başka", names="wamid.2"))
    assert (now.text, now.text_stripped, now.edited_at, now.earlier, now.gone) == ("Yarın gelin", "Yarın", None, [], None)


def test_the_latest_edit_counts_in_whatever_order_they_came() -> None:
    edits = [amendment("edit", "Öbür gün", after_s=60, seq=1), amendment("edit", "Cuma", after_s=120, seq=2)]
    for order in permutations(edits):
        now = stands(*order)
        assert (now.text, now.text_stripped, now.edited_at) == ("Cuma", None, NOON + timedelta(seconds=120))
        assert [one["text"] for one in now.earlier] == ["Yarın gelin", "Öbür gün"]


def test_a_deletion_counts_also_before_a_later_edit_and_leaves_no_words() -> None:
    for order in permutations([amendment("delete", after_s=30), amendment("edit", "Cuma", after_s=60)]):
        now = stands(*order)
        assert (now.text, now.text_stripped, now.earlier, now.contents) == ("", None, (), ())
        assert (now.gone, now.deleted_at) == ("deleted", NOON + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("more", "own"),
    [
        ({}, True),
        ({"handle_id": HER_OTHER}, True),
        ({"handle_id": BERK, "profile_id": uuid4()}, False),
        ({"handle_id": BERK, "profile_id": None}, False),
        ({"direction": "out"}, False),
        ({"inbox_id": uuid4()}, False),
        ({"handle_id": BERK, "profile_id": None, "handle_value": "comment:wamid.1"}, True),
        ({"handle_id": BERK, "profile_id": None, "handle_value": "comment:wamid.2"}, False),
    ],
)
def test_only_its_writer_amends_a_message(more: dict[str, Any], own: bool) -> None:
    assert (stands(amendment("edit", "Cuma", **more)).text == "Cuma") is own
    assert (stands(amendment("delete", **more)).gone == "deleted") is own


def test_our_own_reply_is_found_by_the_id_the_provider_gave_it() -> None:
    reply = {**MESSAGE, "direction": "out", "external_id": "reply:1"}
    named: UUID = MESSAGE["id"]
    reaction = amendment("reaction", "❤", names="wamid.OUT", named=named)
    assert [one["text"] for one in Amendments.of([reaction]).standing(reply).reactions] == ["❤"]
    assert Amendments.of([amendment("edit", "x", names="wamid.OUT", named=named)]).standing(reply).text == "Yarın gelin"


def test_the_last_reaction_of_each_counts_and_may_be_taken_back() -> None:
    given = (amendment("reaction", "👍", seq=1), amendment("reaction", "❤", after_s=90, seq=2))
    ours = amendment("reaction", "🙏", direction="out", seq=3)
    assert sorted(one["text"] for one in stands(*given, ours).reactions) == sorted(["❤", "🙏"])
    assert stands(*given, amendment("reaction", "", after_s=99)).reactions == []


def test_a_call_shows_its_corrected_record() -> None:
    missed, answered = {"answered": False, "talk_s": 0}, {"answered": True, "talk_s": 65}
    now = stands(amendment("edit", call=answered), kind="missed_call", text="", body={"call": missed})
    assert (now.kind, now.call, now.text, list(now.contents)) == ("call", answered, "", ["call"])
    assert now.earlier == []


@pytest.mark.parametrize("mark", ["erased", "redacted", "expired"])
def test_words_that_were_taken_away_do_not_come_back_by_an_edit(mark: str) -> None:
    now = stands(amendment("edit", "Cuma"), text="", body={mark: True})
    assert (now.text, now.earlier, now.gone) == ("", (), mark)


@pytest.mark.parametrize(
    ("given", "message", "preview", "contents"),
    [
        ([], {}, "Yarın", []),
        ([amendment("edit", "Cuma")], {}, "Cuma", []),
        ([amendment("delete")], {}, "", ["deleted"]),
        ([], {"text": "", "body": {"contents": ["voice"]}}, "", ["voice"]),
        ([], {"text": "Bu", "body": {"contents": ["photo"]}}, "Bu", ["photo"]),
        ([], {"text": " ", "body": None}, " ", ["empty"]),
        ([], {"kind": "missed_call", "text": "", "body": {}}, "", ["call"]),
    ],
)
def test_a_preview_is_never_empty_and_never_shows_what_is_gone(
    given: list[Amendment], message: dict[str, Any], preview: str, contents: list[str]
) -> None:
    row = {f"said_{name}": value for name, value in {**MESSAGE, **message}.items()}
    found = preview_of(row, Amendments.of(given))
    assert (found["preview"], found["preview_contents"], found["group"]) == (preview, contents, None)


def test_of_many_edits_and_reactions_the_newest_are_shown_and_all_are_counted() -> None:
    edits = [amendment("edit", f"Gün {n}", after_s=n, seq=n) for n in range(AMENDMENTS_MAX + 5)]
    hearts = [amendment("reaction", "❤", after_s=n, seq=n, handle_id=uuid4()) for n in range(AMENDMENTS_MAX + 5)]
    now = stands(*edits, *hearts, amendment("reaction", "", after_s=999, handle_id=hearts[-1].handle_id))
    assert (now.text, now.edits, now.reacted) == (f"Gün {AMENDMENTS_MAX + 4}", AMENDMENTS_MAX + 5, AMENDMENTS_MAX + 4)
    assert [one["text"] for one in now.earlier] == [f"Gün {n}" for n in range(4, AMENDMENTS_MAX + 4)]
    assert [one["at"] for one in now.reactions] == [one.at for one in hearts[4:-1]]


def test_edits_that_were_not_read_are_counted() -> None:
    read = [amendment("edit", f"Gün {n}", after_s=n, seq=n, alike=1000) for n in range(3)]
    other = amendment("edit", "Cuma", after_s=9, handle_id=HER_OTHER, alike=7)
    assert stands(*read, other).edits == 1007
