"""Masking: what passes its check goes, across spaces and dashes; what fails it stays; twice is once."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapter import Draft, Inbox, Part
from ingest.looks import LOOKS_MAX
from ingest.masking import is_card, is_tckn, masked, masked_draft
from shared.ids import new_id
from tests.support.counted_calls import counted_calls

DIGITS = st.text("0123456789", min_size=1, max_size=30)


def luhn(body: str) -> str:
    return next(body + str(check) for check in range(10) if is_card(body + str(check)) or len(set(body)) == 1)


def tckn(body: str) -> str:
    n = [int(digit) for digit in body]
    tenth = (sum(n[0::2]) * 7 - sum(n[1::2])) % 10
    return body + str(tenth) + str((sum(n) + tenth) % 10)


@given(
    st.text("0123456789", min_size=12, max_size=18).filter(lambda body: len(set(body)) > 1),
    st.lists(st.integers(1, 18), max_size=4),
)
def test_a_card_goes_across_spaces_and_dashes(body: str, cuts: list[int]) -> None:
    number = luhn(body)
    written = "".join(
        digit + (" -"[place % 2] if place in cuts and place < len(number) else "") for place, digit in enumerate(number, 1)
    )
    assert not any(character.isdigit() for character in masked(f"kart {written}."))


@given(st.integers(100_000_000, 999_999_999))
def test_a_national_id_goes(body: int) -> None:
    number = tckn(str(body))
    assert is_tckn(number)
    assert masked(f"no {number}") == f"no {'*' * 11}"


@given(DIGITS)
def test_a_number_that_fails_its_check_stays(digits: str) -> None:
    if not is_card(digits) and not is_tckn(digits):
        assert masked(f"a {digits} b") == f"a {digits} b"


@given(st.text("0123456789 -–a\n", max_size=80))
def test_masking_twice_is_masking_once_and_keeps_the_length(text: str) -> None:
    once = masked(text)
    assert masked(once) == once
    assert len(once) == len(text)


def test_known_numbers() -> None:
    assert masked("4111 1111 1111 1111 / 10000000146 / +905321234567") == "**** **** **** **** / *********** / +905321234567"
    assert masked("4111 1111 1111 1112 / 10000000147") == "4111 1111 1111 1112 / 10000000147"


def test_a_draft_loses_its_original_only_where_a_number_was_found() -> None:
    inbox = Inbox(workspace_id=new_id(), id=new_id(), name="x", channel="email", provider="smtp")
    html = Part(content=b"<b>4111-1111-1111-1111</b>", content_type="text/html", role="html")
    draft = Draft(inbox=inbox, external_id="1", values={"text": "10000000146"}, parts=(html,), original=b"MTAwMDAwMDAxNDY=")
    done = masked_draft(draft)
    assert (done.values["text"], done.parts[0].content, done.original) == ("*" * 11, b"<b>****-****-****-****</b>", b"")
    clean = replace(draft, values={"text": "selam"}, parts=())
    assert masked_draft(clean) == clean
    unparsed = replace(clean, values={"kind": "unparsed"}, original=b"no 10000000146")
    assert masked_draft(unparsed).original == b"no ***********"


def test_all_of_a_draft_has_one_bound_and_its_texts_come_first() -> None:
    inbox = Inbox(workspace_id=new_id(), id=new_id(), name="x", channel="email", provider="smtp")
    for numbers, shown in ((True, "*" * 16), ("cards", "*" * 12 + "1111")):
        cards = "4111111111111111\n" * (LOOKS_MAX // 16)
        page = Part(content=b"no 4111111111111111 siparis 12", content_type="text/html", role="html")
        given = Draft(
            inbox=replace(inbox, mask_numbers=numbers),  # type: ignore[arg-type]
            external_id="1", values={"subject": "no 4111111111111111", "text": cards}, parts=(page,), original=b"12",
        )  # fmt: skip
        done = masked_draft(given)
        assert done.values["subject"] == f"no {shown}"
        assert str(done.values["text"]).startswith(shown)
        assert done.parts[0].content == b"no **************** siparis **", "no number comes through, looked at or not"
        assert done.original == b""


def test_an_original_that_goes_anyway_is_not_looked_at() -> None:
    inbox = Inbox(workspace_id=new_id(), id=new_id(), name="x", channel="email", provider="smtp", mask_numbers="cards")
    draft = Draft(inbox=inbox, external_id="1", values={"text": "4111 1111 1111 1111"})
    counts = []
    for original in (b"", b"12 3456 78901234 " * 10_000):
        with counted_calls() as calls:
            assert masked_draft(replace(draft, original=original)).original == b""
        counts.append(calls.count)
    assert counts[1] < counts[0] + 50


def masked_by_definition(text: str) -> str:
    """What `masked` says, looked up at every end of every stretch of whole groups: the longest first, from the left."""

    def masked_run(run: re.Match[str]) -> str:
        kept, groups, start = list(run[0]), [group.span() for group in re.finditer("[0-9]+", run[0])], 0
        while start < len(groups):
            for end in range(len(groups), start, -1):
                places = range(groups[start][0], groups[end - 1][1])
                digits = "".join(run[0][place] for place in places if run[0][place].isdigit())
                if is_card(digits) or is_tckn(digits):
                    for place in places:
                        kept[place] = "*" if kept[place].isdigit() else kept[place]
                    start = end - 1
                    break
            start += 1
        return "".join(kept)

    return re.sub("(?<![0-9])[0-9](?:[ \u00a0\u2013-]?[0-9])+(?![0-9])", masked_run, text)


NUMBERS = st.one_of(
    st.text("0123456789", min_size=12, max_size=18).filter(lambda body: len(set(body)) > 1).map(luhn),
    st.integers(100_000_000, 999_999_999).map(lambda body: tckn(str(body))),
    st.text("0123456789", min_size=1, max_size=25),
    st.sampled_from("0149").flatmap(lambda digit: st.integers(1, 25).map(lambda times: digit * times)),
)
SEPARATORS = st.sampled_from(["", " ", "-", "\u2013", "\u00a0", ".", "  ", "\u0664", "a"])


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    """Numbers of all kinds one after the other, each parted anywhere or everywhere."""
    written = []
    for number in draw(st.lists(NUMBERS, min_size=1, max_size=4)):
        between = draw(SEPARATORS)
        cuts = draw(st.one_of(st.just(set(range(30))), st.sets(st.integers(0, 25), max_size=5)))
        written += ["".join(digit + (between if place in cuts else "") for place, digit in enumerate(number)), draw(SEPARATORS)]
    return "".join(written)


@given(st.one_of(written_numbers(), st.text("0149 -", max_size=60)))
def test_what_is_masked_is_what_the_definition_says(text: str) -> None:
    assert masked(text) == masked_by_definition(text)


@pytest.mark.parametrize(
    "unit", ["4-", "0-", "1 ", "40 ", "4111-", "10000000146 ", "4111 1111 1111 1111 ", "4111111111111111", "1-1,"]
)
def test_each_digit_of_a_long_run_is_looked_at_a_few_times(unit: str) -> None:
    text = unit * (10_000 // len(unit))
    with counted_calls() as calls:
        masked(text)
    # Of Python and of C. Every end of every stretch looked up would be fifty a character.
    assert calls.count <= 7 * len(text)
