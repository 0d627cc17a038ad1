"""Payment cards found and masked: the schemes' test numbers, what only looks like one, how it is written, how long it takes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.looks import LOOKS_MAX, Looks
from ingest.payment_cards import holds_luhn, masked_cards, scheme_of
from ingest.payment_cards_html import masked_cards_in_html
from tests.support.counted_calls import counted_calls

# Numbers that schemes and payment providers publish for tests.
CARDS = [
    ("visa", "4111111111111111 4012888888881881 4242424242424242 4000056655665556 4222222222222 4917610000000000 4766620000000001"),
    (
        "visa",
        "4603450000000000 4729150000000005 4987490000000002 4475050000000003 4059030000000009 4543590000000006 4000000000000002",
    ),
    ("mastercard", "5555555555554444 5105105105105100 5200828282828210 2223003122003222 2222400070000005 5526080000000006"),
    ("mastercard", "5311570000000005 5170410000000004 5400360000000003 5528790000000008 5504720000000003 5454545454545454"),
    ("amex", "378282246310005 371449635398431 378734493671000 374427000000003 343434343434343"),
    ("discover", "6011111111111117 6011000990139424 6011000000000004 6445644564456445 6510000000000034"),
    ("diners", "30569309025904 38520000023237 36227206271667 3056930009020004"),
    ("jcb", "3530111333300000 3566002020360505 3569990010095841"),
    ("unionpay", "6200000000000005 6200000000000047 6205500000000000004"),
    ("maestro", "6759649826438453 6304000000000000 5890040000000016 5892830000000000 6799990100000000019"),
    ("troy", "9792030000000000 9792020000000001"),
    ("mir", "2200000000000004 2204000000000000"),
]
NUMBERS = [(scheme, number) for scheme, numbers in CARDS for number in numbers.split()]

LOOK_ALIKES = [
    ("the last digit is another", "4111111111111112"),
    ("the last digit is another, in groups", "5555 5555 5555 4445"),
    ("a check that holds, and a prefix nobody issues", "1234567812345670"),
    ("a prefix nobody issues: 0", "0000000000000000"),
    ("a prefix nobody issues: 7", "7000000000000005"),
    ("a prefix nobody issues: 8", "8000000000000002"),
    ("below Mastercard's second range", "2220990000000009"),
    ("above Mastercard's second range", "2721000000000004"),
    ("Amex has 15 digits", "3700000000000002"),
    ("Visa has no 15 digits", "400000000000006"),
    ("Troy has 16 digits", "97920300000000002"),
    ("twelve digits", "411111111118"),
    ("inside a longer row of digits", "94111111111111111000099"),
    ("a digit before it", "04111111111111111"),
    ("a digit behind it", "41111111111111110"),
    ("an IBAN of Türkiye, in groups", "TR33 0006 1005 1978 6457 8413 26"),
    ("an IBAN with a card's digits in it, in groups", "DE95 4111 1111 1111 1111 00"),
    ("an IBAN with a card's digits in it, in a row", "NO4441000419707"),
    ("a Norwegian IBAN with 13 digits", "NO93 8601 1117 947"),
    ("a telephone number, E.164", "+4915123456787"),
    ("the same with spaces", "+49 151 2345 6787"),
    ("the same with 00", "00 49 151 2345 6787"),
    ("a Turkish mobile number", "0532 123 45 67"),
    ("two numbers on two lines", "4111 1111\n1111 1111"),
    ("a parcel of USPS", "9400 1000 0000 0000 0000 00"),
    ("a time to the microsecond", "20260921141400123456"),
    ("milliseconds since 1970", "1789990440000"),
    ("an order number", "SIP-2026-0009-2114"),
    ("a national id", "10000000146"),
    ("an amount", "4.111.111,11"),
]


def test_the_table_is_long_enough() -> None:
    assert len(NUMBERS) + len(LOOK_ALIKES) >= 80


@pytest.mark.parametrize(("scheme", "number"), NUMBERS)
def test_a_card_keeps_its_last_four_digits_however_it_is_written(scheme: str, number: str) -> None:
    assert scheme_of(number) == scheme
    end = number[-4:]
    assert masked_cards(f"kartım {number}.") == f"kartım {'*' * (len(number) - 4)}{end}."
    groups = [number[at : at + 4] for at in range(0, len(number), 4)]
    for between in (" ", "-", ".", "\u00a0", "\u2013", " - ", "\u202f"):
        masked = masked_cards(f"no:{between.join(groups)},")
        assert "".join(character for character in masked if character.isdecimal()) == end, between
        assert masked.count(between) == len(groups) - 1
    arabic = number.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})
    assert masked_cards(arabic) == "*" * (len(number) - 4) + arabic[-4:]


@pytest.mark.parametrize(("why", "text"), LOOK_ALIKES)
def test_what_only_looks_like_a_card_stays(why: str, text: str) -> None:
    assert masked_cards(f"x: {text} :x") == f"x: {text} :x", why
    assert masked_cards(text) == text, why


def test_a_look_alike_with_a_plus_is_a_card_without_one() -> None:
    assert holds_luhn("4915123456787")
    assert masked_cards("4915123456787") == "*********6787"
    assert masked_cards("DE94 4111 1111 1111 1111 00") == "DE94 **** **** **** 1111 00", "no IBAN: its check digits are wrong"


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ("3782 822463 10005", "**** ****** *0005"),
        ("3056 930902 5904", "**** ****** 5904"),
        ("4111 1111 1111 1111 5555 5555 5555 4444", "**** **** **** 1111 **** **** **** 4444"),
        ("532 123 45 67 4111 1111 1111 1111", "532 123 45 67 **** **** **** 1111"),
        ("4111-1111-1111-1111 12/28 CVV 123", "****-****-****-1111 12/28 CVV 123"),
        ("*4111 1111 1111 1111*", "***** **** **** 1111*"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "* * * * * * * * * * * * 1 1 1 1"),
        ("۴۱۱۱ ۱۱۱۱ ۱۱۱۱ ۱۱۱۱", "**** **** **** ۱۱۱۱"),
        ("4111\u200b1111\u200b1111\u200b1111", "****\u200b****\u200b****\u200b1111"),
        ("No4111111111111111 TL", "No************1111 TL"),
        ("+905321234567,4111111111111111", "+905321234567,************1111"),
    ],
)
def test_writings(written: str, masked: str) -> None:
    assert masked_cards(written) == masked


@pytest.mark.parametrize(
    ("page", "masked"),
    [
        ("<p>4111&nbsp;1111&nbsp;1111&nbsp;1111</p>", "<p>****&nbsp;****&nbsp;****&nbsp;1111</p>"),
        ("<b>4111</b> 1111 <i>1111</i> 1111", "<b>****</b> **** <i>****</i> 1111"),
        ("&#52;111111111111111", "************1111"),
        (
            '<a href="/pay?no=4111111111111111">4111&#160;1111 1111 1111</a>',
            '<a href="/pay?no=************1111">****&#160;**** **** 1111</a>',
        ),
        ("<td>4111</td><td>1111</td><td>1111</td><td>1111</td>", "<td>4111</td><td>1111</td><td>1111</td><td>1111</td>"),
        ("<p>1 < 2 & 3</p>", "<p>1 < 2 & 3</p>"),
    ],
)
def test_in_html_a_card_is_seen_as_a_reader_sees_it(page: str, masked: str) -> None:
    assert masked_cards_in_html(page) == masked


DIGITS_AND_MORE = st.text("0123456789٤ .-+*\u00a0TR\n", max_size=120)
SOME = st.lists(
    st.one_of(DIGITS_AND_MORE, st.sampled_from([number for _, number in NUMBERS]), st.sampled_from([" ", "-", ""])), max_size=8
)


@given(SOME.map("".join))
def test_masking_changes_digits_alone_and_twice_is_once(text: str) -> None:
    once = masked_cards(text)
    assert masked_cards(once) == once
    assert len(once) == len(text)
    assert all(new == old or (new == "*" and old.isdecimal()) for new, old in zip(once, text, strict=True))


def masked_by_definition(text: str) -> str:
    """What `masked_cards` says where nobody is called and no IBAN stands: every end of every group's stretch looked at, the longest first."""

    def masked_row(row: re.Match[str]) -> str:
        kept, digits = list(row[0]), [place for place, character in enumerate(row[0]) if character.isdecimal()]
        begins = [place for place in range(len(digits)) if not place or digits[place] - digits[place - 1] > 1]
        first = 0
        while first < len(digits):
            end = next(
                (end for end in range(first + 19, first + 12, -1) if is_one(row[0], digits, [*begins, len(digits)], first, end)), 0
            )
            for place in digits[first : max(end - 4, 0)]:
                kept[place] = "*"
            first = end - 4 if end else next((place for place in begins if place > first), len(digits))
        return "".join(kept)

    return re.sub(r"(?<!\d)\d{1,19}(?!\d)(?:[ .-]{1,3}\d{1,19}(?!\d))*", masked_row, text)


def is_one(row: str, digits: list[int], cuts: list[int], first: int, end: int) -> bool:
    within = [first, *(cut for cut in cuts if first < cut < end), end]
    sizes = [after - before for before, after in pairwise(within)]
    grouped = sizes[0] >= 4 or (len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0])
    return end in cuts and grouped and scheme_of("".join(row[place] for place in digits[first:end])) is not None


PARTED = st.builds(
    lambda number, size, between: between.join(number[at : at + size] for at in range(0, len(number), size)),
    st.one_of(
        st.sampled_from([number for _, number in NUMBERS]),
        st.text("0123456789", min_size=1, max_size=25),
        st.sampled_from("4679").flatmap(lambda digit: st.integers(1, 40).map(lambda times: digit * times)),
    ),
    st.integers(1, 19),
    st.sampled_from([" ", "-", ". ", " - ", "    "]),
)


@given(st.lists(st.one_of(PARTED, st.sampled_from(["a", " ", "-", "", "\n", "    "])), max_size=8).map("".join))
def test_what_is_masked_is_what_the_definition_says(text: str) -> None:
    assume("00" not in text)  # a telephone number's beginning
    assert masked_cards(text) == masked_by_definition(text)


@given(SOME.map("".join), st.integers(0, 60))
def test_what_stands_beyond_the_bound_loses_all_its_digits(text: str, most: int) -> None:
    for mask in (masked_cards, masked_cards_in_html):
        bounded, whole = mask(text, Looks(most)), mask(text)
        assert len(bounded) == len(text)
        end = next((place for place, pair in enumerate(zip(bounded, whole, strict=True)) if pair[0] != pair[1]), len(text))
        assert not any(character.isdecimal() for character in bounded[end:])


def test_numbers_beyond_the_bound_are_masked_in_text_and_in_html() -> None:
    line, looked_at = "4111111111111111\n", LOOKS_MAX // 16
    lines = masked_cards(line * (looked_at + 5)).splitlines()
    assert set(lines[:looked_at]) == {"************1111"}
    assert lines[looked_at:] == ["*" * 16] * 5
    assert masked_cards("tel 0532 123 45 67 ", Looks(1)) == "tel 0532 123 45 67 ", "what is looked at is what may be a card"
    assert masked_cards(f"٤ {line}", Looks(1)) == "* ****************\n"
    shown = masked_cards_in_html("<b>4</b>111 1111 1111 1111 &#52;", Looks(4))
    assert not any(character.isdigit() for character in shown)


@pytest.mark.parametrize(
    "unit", ["4-", "4111111111111111 ", "67 ", "TR33 4242424242424242 ", "4111111111111111,", "1    1 ", "<b>4</b>", "&#52;"]
)
def test_a_message_full_of_numbers_costs_no_more_than_its_bound(unit: str) -> None:
    counts = []
    for times in (10, 50):
        with counted_calls() as calls:
            masked_cards_in_html(unit * (times * 5_000 // len(unit)), Looks(5_000))
        counts.append(calls.count)
    assert counts[1] < counts[0] * 1.2 + 500


@given(
    st.sampled_from([number for _, number in NUMBERS]),
    st.lists(st.integers(4, 18), max_size=6),
    st.sampled_from([" ", "-", ".", " - "]),
)
def test_a_card_goes_wherever_its_digits_are_parted_behind_the_fourth(number: str, cuts: list[int], between: str) -> None:
    written = "".join(digit + (between if place in cuts and place < len(number) else "") for place, digit in enumerate(number, 1))
    left = [character for character in masked_cards(f"kart: {written} teşekkürler") if character.isdecimal()]
    assert "".join(left) == number[-4:]


@given(st.sampled_from([number for _, number in NUMBERS]), st.integers(1, 9), st.sampled_from([" ", "-", ".", " - "]))
def test_a_card_goes_in_equal_groups(number: str, size: int, between: str) -> None:
    written = between.join(number[at : at + size] for at in range(0, len(number), size))
    assert "".join(character for character in masked_cards(written) if character.isdecimal()) == number[-4:]


@given(st.text("0123456789", min_size=20, max_size=60))
def test_nothing_inside_a_longer_row_of_digits_is_touched(digits: str) -> None:
    assert masked_cards(digits) == digits


@given(SOME.map("".join))
def test_html_keeps_its_length_in_what_is_shown(text: str) -> None:
    assert masked_cards_in_html(text) == masked_cards(text), "without markup it is text"


def best_of_three(text: str, mask: Callable[[str], str] = masked_cards) -> float:
    took = []
    for _ in range(3):
        before = time.process_time()
        mask(text)
        took.append(time.process_time() - before)
    return min(took)


def test_a_megabyte_of_digits_takes_no_time_and_no_writing_takes_more_than_its_length() -> None:
    assert best_of_three("4" * 1_000_000) < 0.05
    for unit in ("4 ", "4111 ", "4242424242424242 ", "4...", "4" * 19 + " ", "00 4", "TR33 4242 "):
        short, long = (best_of_three(unit * (length // len(unit))) for length in (50_000, 400_000))
        assert long < 8 * short * 3 + 0.05, unit


@pytest.mark.parametrize("unit", ["<", "<a ", "<a", "a", "&#x", "&a", "&nbsp;4", "<b>4</b>", "4&#52;"])
def test_html_takes_no_more_than_its_length(unit: str) -> None:
    short, long = (best_of_three("<" + unit * (length // len(unit)), masked_cards_in_html) for length in (20_000, 160_000))
    assert long < 8 * short * 3 + 0.05
