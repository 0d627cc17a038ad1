"""Handles normalized: one form for one mailbox, domains by IDNA 2008, and the forms that earlier releases gave the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputRejected
from shared.handle import Handle, left_at, normalized
from shared.handle_forms import _by_idna_2003, earlier_forms, first_form, renewed


def email(value: str, scope: str = "") -> Handle:
    return Handle(kind="email", scope=scope, value=value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("zeynep@faß.example", "zeynep@xn--fa-hia.example"),  # RFC 5894 §7.2: ß is a letter of its own, not ss
        ("zeynep@FAẞ.example", "zeynep@xn--fa-hia.example"),  # UTS 46: capital sharp s maps to the small one
        ("zeynep@fass.example", "zeynep@fass.example"),
        ("a@βόλος.example", "a@xn--nxasmm1c.example"),  # final sigma stays, UTS 46 §4 example
        ("destek@müşteri.example", "destek@xn--mteri-kva70e.example"),
        ("Destek@MÜŞTERİ.example", "destek@xn--mteri-kva70ee0i.example"),
        ("destek@XN--MTERI-KVA70E.example.", "destek@xn--mteri-kva70e.example"),
        ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),  # RFC 3490 §3.1: other full stops
        ("a@☕.example", "a@xn--53h.example"),  # refused by IDNA 2008, as UTS 46 writes it all the same
        ("a@my_host.example", "a@my_host.example"),
        ("a@-odd-.example", "a@-odd-.example"),
        ("a@xn--0.example", "a@xn--0.example"),  # no A-label at all, and ASCII
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ],
)  # fmt: skip
def test_a_domain_is_its_a_labels(raw: str, value: str) -> None:
    assert normalized("email", raw) == email(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('"ayse"@x.example', "ayse@x.example"),
        ('"Ay\\se.y"@x.example', "ayse.y@x.example"),
        ('<"ali veli"@x.example>', '"ali veli"@x.example'),
        ("ali veli@x.example", '"ali veli"@x.example'),
        ('"a@b"@x.example', '"a@b"@x.example'),
        ('"a\\"b"@x.example', '"a\\"b"@x.example'),
        ("taro..y@docomo.example", "taro..y@docomo.example"),
        ('"taro..y"@docomo.example', '"taro..y"@docomo.example'),
        ("ayşe@x.example", "ayşe@x.example"),
        ("o'brien+tag=1@x.example", "o'brien+tag=1@x.example"),
    ],
)
def test_a_local_part_is_quoted_only_where_it_must_be(raw: str, value: str) -> None:
    assert normalized("email", raw) == email(value)


@pytest.mark.parametrize(
    "raw",
    ['"ali@x.example', 'ali"@x.example', 'a"l"i@x.example', '"a"li@x.example', '"a\\"@x.example', '""@x.example', '"  "@x.example',
     "a\nb@x.example", "a@x y.example", "a@.example", "a@ü..example", "a@xn--ü.example", f"a@{'ü' * 64}.example"],
)  # fmt: skip
def test_what_is_no_address_is_refused(raw: str) -> None:
    with pytest.raises(InputRejected):
        normalized("email", raw)


_PIECES = st.sampled_from(
    ["a", "A", ".", " ", '"', "\\", "ß", "ς", "İ", "ü", "‍", "-", "_", "xn--", "fa-hia", "☕", "@", "<", "（", "。"]
)


@given(st.lists(_PIECES, max_size=12).map("".join), st.lists(_PIECES, max_size=12).map("".join))
def test_normalizing_again_changes_nothing(local: str, domain: str) -> None:
    try:
        once = normalized("email", f"{local}@{domain}")
    except InputRejected:
        return
    assert normalized("email", once.value) == once
    assert renewed(once, f"{local}@{domain}") == once
    assert once not in earlier_forms(once, f"{local}@{domain}")
    assert first_form(once) == first_form(normalized("email", once.value))


@given(st.lists(_PIECES, max_size=8).map("".join), st.lists(_PIECES, max_size=8).map("".join))
def test_reading_again_twice_is_once(value: str, raw: str) -> None:
    once = renewed(email(f"{value}@faß.example"), f"{raw}@faß.example")
    assert renewed(once, f"{raw}@faß.example") == once


@pytest.mark.parametrize(
    ("raw", "forms"),
    [
        ("zeynep@faß.example", {"zeynep@fass.example", 'zeynep"@fass.example', 'zeynep"@xn--fa-hia.example', '"zeynep"@fass.example',
                                '"zeynep"@xn--fa-hia.example'}),
        ("ayse@x.example", {'ayse"@x.example', '"ayse"@x.example'}),
        ("ali veli@x.example", {"ali veli@x.example", 'aliveli"@x.example'}),
    ],
)  # fmt: skip
def test_the_forms_of_earlier_releases(raw: str, forms: set[str]) -> None:
    handle = normalized("email", raw)
    assert {one.value for one in earlier_forms(handle, raw)} == forms
    # The raw value adds nothing that the handle does not tell.
    assert {one.value for one in earlier_forms(handle)} == forms


@given(st.text(st.sampled_from("aßςİı\u00ad\u200d\u200cﬃﷺ㎏é-日١"), min_size=1, max_size=30), st.integers(1, 4))
def test_a_domain_that_grows_too_long_is_refused_as_it_always_was(label: str, times: int) -> None:
    domain = f"{label * times}.example"
    try:
        host = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        host = ""
    assert _by_idna_2003(domain) == (host if not domain.isascii() else domain)


def test_what_a_label_grows_to_is_seen_before_it_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def mapped(label: str) -> bytes:
        asked.append(label)
        return b"x"

    monkeypatch.setattr("encodings.idna.ToASCII", mapped)
    assert _by_idna_2003("ﷺﷺﷺﷺ.örnek.example") == ""
    assert asked == []


def test_an_earlier_form_keeps_the_scope_and_other_kinds_have_none() -> None:
    unverified = email("zeynep@xn--fa-hia.example", "unverified")
    assert email("zeynep@fass.example", "unverified") in earlier_forms(unverified)
    assert earlier_forms(Handle(kind="visitor", scope="s", value="v")) == ()
    assert earlier_forms(Handle(kind="phone", value="+905321234567"), "0532 123 45 67") == ()


@pytest.mark.parametrize(
    ("value", "raw", "now"),
    [
        ("zeynep@fass.example", "zeynep@faß.example", "zeynep@xn--fa-hia.example"),
        ("zeynep@fass.example", "zeynep@fass.example", "zeynep@fass.example"),
        ("zeynep@fass.example", "", "zeynep@fass.example"),  # nothing proves that it was another
        ("zeynep@fass.example", "ali@faß.example", "zeynep@fass.example"),  # a raw value that never made this handle
        ('"ayse"@x.example', '"ayse"@x.example', "ayse@x.example"),
        ('"ayse"@x.example', "", "ayse@x.example"),
        ('aliveli"@x.example', 'aliveli"@x.example', 'aliveli"@x.example'),  # of "ali veli" or of "aliveli": nobody can tell
        ("ali veli@x.example", "ali veli@x.example", '"ali veli"@x.example'),
    ],
)
def test_a_stored_handle_is_read_again_from_what_it_was_made_of(value: str, raw: str, now: str) -> None:
    assert renewed(email(value), raw) == email(now)
    assert renewed(email(value, "unverified"), raw) == email(now, "unverified")


def test_a_sender_travels_by_the_first_form_for_ever() -> None:
    assert first_form(email("zeynep@xn--fa-hia.example")) == email("zeynep@fass.example")
    assert first_form(email("destek@xn--mteri-kva70e.example")) == email("destek@xn--mteri-kva70e.example")
    assert first_form(email("a@xn--0.example")) == email("a@xn--0.example")
    assert first_form(Handle(kind="visitor", scope="s", value="xn--v")) == Handle(kind="visitor", scope="s", value="xn--v")


@pytest.mark.parametrize("kind", ["external_id", "wa_id", "psid", "visitor", "telegram"])
@pytest.mark.parametrize("value", ["\u212aemal", "ays\u0327e", "ali\u00a0", " ali", "a\x00li", "a\ud800"])
def test_an_id_that_would_become_another_is_refused(kind: str, value: str) -> None:
    with pytest.raises(InputRejected) as refused:
        normalized(kind, value)
    assert refused.value.field == "value"
    assert "normal form" in refused.value.message


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_ids_are_two_handles(one: str, other: str) -> None:
    found = set()
    for value in (one, other):
        try:
            found.add(normalized("external_id", value))
        except InputRejected:
            return
    assert len(found) == len({one, other})


@pytest.mark.parametrize("kind", ["email", "phone", "wa_id", "external_id", "visitor"])
def test_nobody_gives_the_scope_of_a_number_that_was_left(kind: str) -> None:
    with pytest.raises(InputRejected) as refused:
        normalized(kind, "905321234567", scope="left:1764547200000:m", region="TR")
    assert refused.value.field == "scope"


@pytest.mark.parametrize("scope", ["left:999999999999999:z", "left::z", "left:9999999999999999:z", ""])
def test_a_time_that_no_calendar_knows_is_none_at_which_a_number_was_left(scope: str) -> None:
    assert left_at(Handle(kind="wa_id", scope=scope, value="905321234567")) is None
