"""One form for one telephone number: what callers, lists and WhatsApp write in countries that changed their numbers."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import InputRejected
from shared.handle import Handle, normalized
from shared.handle_forms import earlier_forms, first_form, renewed
from shared.telephone import as_given, form_before, number_of, one_form


@pytest.mark.parametrize(
    ("region", "written", "number"),
    [
        ("MX", ["+5215512345678", "+525512345678", "+52 1 55 1234 5678", "55 1234 5678", "1 55 1234 5678", "044 55 1234 5678",
                "045 55 1234 5678", "01 55 1234 5678"], "+525512345678"),
        ("MX", ["+528001234567", "800 123 4567"], "+528001234567"),
        ("AR", ["+5491123456789", "+541123456789", "+54 9 11 2345-6789", "11 15-2345-6789", "011 15 2345 6789", "11 2345-6789"],
         "+541123456789"),
        ("AR", ["+5493434123456", "0343 15 412 3456", "+54 343 412-3456"], "+543434123456"),
        ("BR", ["+555481234567", "+5554981234567", "(54) 8123-4567", "(54) 98123-4567", "054 8123 4567"], "+5554981234567"),
        ("BR", ["+551161234567", "+5511961234567"], "+5511961234567"),
        ("BR", ["+551177012345", "+5511977012345"], "+5511977012345"),
        ("BR", ["+555432123456", "(54) 3212-3456"], "+555432123456"),  # a landline
        ("BR", ["+551151234567", "(11) 5123-4567"], "+551151234567"),
        ("BR", ["+558001234567", "0800 123 4567"], "+558001234567"),
        ("BJ", ["+22997123456", "+2290197123456", "01 97 12 34 56"], "+2290197123456"),
        ("TR", ["+905321234567", "0532 123 45 67"], "+905321234567"),
        ("US", ["+15512345678", "(551) 234-5678"], "+15512345678"),
    ],
)  # fmt: skip
def test_however_it_is_written_it_is_one_number(region: str, written: list[str], number: str) -> None:
    assert {number_of(one, region) for one in written} == {number}
    assert normalized("phone", number) == Handle(kind="phone", value=number)


@pytest.mark.parametrize(
    "text", ["+521551234567", "+52155123456789", "+5554281234567890", "+549112345678", "+551081234567", "12", "+", "+999123456789"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert number_of(text, "TR") == ""
    with pytest.raises(InputRejected):
        normalized("phone", text, region="TR")


_COUNTRIES = st.sampled_from(["52", "521", "54", "549", "55", "229", "22901", "90", "1"])


@given(_COUNTRIES, st.text("0123456789", min_size=6, max_size=12))
@example("229", "81000000")  # a series that got no new form
def test_one_form_is_a_form(country: str, rest: str) -> None:
    number = f"+{country}{rest}"
    kept = one_form(number)
    assert one_form(kept) == kept
    assert one_form(form_before(kept)) == kept if form_before(kept) else True
    # What counted as a number counts as one in its one form, and once more.
    try:
        was = phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        was = False
    if was:
        assert number_of(number, None) == number_of(number_of(number, None), None) != ""


@pytest.mark.parametrize(
    ("number", "raw", "given"),
    [
        ("+541123456789", "+54 9 11 2345-6789", "+5491123456789"),
        ("+541123456789", "011 15 2345 6789", "+5491123456789"),
        ("+541123456789", "+541123456789", "+541123456789"),
        ("+541123456789", "+54 9 11 2345-0000", "+541123456789"),  # another number
        ("+541123456789", "no number", "+541123456789"),
        ("+541123456789", "", "+541123456789"),
        ("+525512345678", "+5215512345678", "+525512345678"),  # cannot be dialled any more
        ("+5554981234567", "+555481234567", "+5554981234567"),
        ("+905321234567", "0532 123 45 67", "+905321234567"),
    ],
)
def test_who_gave_a_number_that_can_be_dialled_is_written_to_there(number: str, raw: str, given: str) -> None:
    assert as_given(number, raw) == given
    # So a sender travels as ever, while messages of before wait.
    assert first_form(Handle(kind="phone", value=number), raw).value == given


def test_a_number_of_an_earlier_release_is_read_again_by_itself() -> None:
    before, now = Handle(kind="phone", value="+5491123456789"), Handle(kind="phone", value="+541123456789")
    for raw in ("+54 9 11 2345-6789", "5491123456789", "", "no number"):
        assert renewed(before, raw) == now == renewed(now, raw)
    assert earlier_forms(now) == (before,)
    assert earlier_forms(Handle(kind="phone", value="+5554981234567")) == (Handle(kind="phone", value="+555481234567"),)
    assert earlier_forms(Handle(kind="phone", value="+555432123456")) == ()
    # A provider's own id of somebody stays what the provider calls it.
    wa_id = Handle(kind="wa_id", value="5491123456789")
    assert normalized("wa_id", "5491123456789") == wa_id == renewed(wa_id, "") == first_form(wa_id, "5491123456789")
