"""The formats of settings: what is taken, what is refused, and that every schema's formats are ones that somebody checks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import FormatChecker

from ingest.adapters.smtp import SmtpAdapter
from ingest.patterns import is_pattern, is_whole, may_be_saved
from ingest.registry import adapters
from ingest.setting_formats import FORMATS, LISTED_MAX, origin_of, wrong_in, wrong_in_workspace


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("regex", ["[0-9]{3,4}", "", "a|b", r"\d+", "(?i)ş"], ["(", "[", "a{2,1}", "(?=x)", r"(a)\1", "a" * 1001, "\ud83d"]),
        ("time-zone", ["Europe/Istanbul", "UTC"], ["Europe", "", "europe istanbul", "../../etc/passwd", "/etc/passwd", "\x00"]),
        ("uri", ["https://graph.example/v1", "http://127.0.0.1:8080", "https://[::1]:1/x", "https://user:word@host/x"],
         ["graph.example", "ftp://x.example", "javascript:alert(1)", "https://", "https://[", "https://x:99999", "https://a b", "//x"]),
        ("origin", ["https://shop.example", "shop.example", "http://localhost:8080", "https://shop.example/"],
         ["https://shop.example/page", "https://[", "", "https://a.example; script-src *", "https://a.example https://b.example", "data:x",
          "https://user@shop.example", "https://shop.example?x"]),
        ("region", ["TR", "DE"], ["tr", "", "TUR", "ZZ"]),
        ("language", ["tr", "EN", "pt-BR"], ["türkçe", "", "turkish", "t"]),
        ("idn-email", ["destek@ornek.com", "destek@müşteri.example", '"ali veli"@x.example'], ["destek", "@x.example", "a@", "a@x y"]),
    ],
)  # fmt: skip
def test_what_a_format_takes(name: str, good: list[str], bad: list[str]) -> None:
    schema = {"properties": {"x": {"type": "string", "format": name}}}
    for one in good:
        assert list(wrong_in(schema, {"x": one})) == []
    for one in bad:
        (wrong,) = wrong_in(schema, {"x": one})
        assert (wrong.field, wrong.message, wrong.remedy) == ("x", FORMATS[name].message, FORMATS[name].remedy)


@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=60))
def test_any_text_is_taken_or_refused(name: str, text: str) -> None:
    assert FORMATS[name].takes(text) in (True, False)


def formats_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("format"), str):
            yield schema["format"]
        for one in schema.values():
            yield from formats_in(one)


def test_every_format_of_a_channel_is_checked() -> None:
    named = {name for adapter in adapters().values() for name in formats_in(adapter.settings_schema())}
    assert named >= {"regex", "time-zone", "uri", "origin", "idn-email"}
    assert named <= set(FORMATS) | set(FormatChecker.checkers)


def test_an_origin_is_as_browsers_send_it() -> None:
    assert origin_of("Shop.Example/") == "https://shop.example"
    assert origin_of("http://shop.example:8080") == "http://shop.example:8080"
    assert origin_of("https://shop.example:443") == "https://shop.example", "as browsers write it"
    assert origin_of("https://Kıtap-Dükkanı.example") == "https://xn--ktap-dkkan-feb44dka.example"
    assert origin_of("http://[::1]:8080") == "http://[::1]:8080"


def test_a_workspaces_own_numbers_need_a_country() -> None:
    assert list(wrong_in_workspace({"own_addresses": ["0212 555 00 00", "destek@ornek.com"], "region": "TR"})) == []
    assert [one.field for one in wrong_in_workspace({"own_addresses": ["0212 555 00 00", "x@"], "time_zone": "Mars"})] == [
        "time_zone", "own_addresses.0", "own_addresses.1",
    ]  # fmt: skip


def test_a_pattern_is_of_the_whole_and_never_explodes() -> None:
    assert is_whole("1234", "[0-9]{3,4}")
    assert not is_whole("12345", "[0-9]{3,4}")
    assert is_whole("b", "a|b")
    assert not is_whole("ab", "a|b")
    assert not is_whole("x", "(")
    began = time.perf_counter()
    assert is_pattern("(a+)+")
    assert not is_whole("a" * 5000 + "b", "(a+)+")
    assert may_be_saved("[0-9]{3,40}")
    assert not may_be_saved("(.{1,100}){1,9}")
    assert is_pattern("(.{1,100}){1,9}")
    assert not is_whole("1" * 1001, "[0-9]+")
    assert not is_whole("\ud800", ".")
    assert not is_pattern("\ud800")
    assert time.perf_counter() - began < 5  # a backtracking engine would take years


def test_a_program_is_made_once_however_many_texts_are_asked_and_only_of_what_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = re2.compile

    def counted(pattern: str, options: re2.Options) -> Any:
        made.append(pattern)
        return make(pattern, options)

    monkeypatch.setattr(re2, "compile", counted)
    assert [is_whole(f"{number}", "[1-4]{1,3}[0-9]") for number in range(2000)].count(True) > 0
    assert made == ["[1-4]{1,3}[0-9]"]
    assert not may_be_saved(r"[\pL\pN\pS]\PL" * 70)
    assert made == ["[1-4]{1,3}[0-9]"], "what is too large is not even made"


def test_what_every_process_keeps_is_bounded_when_it_is_saved() -> None:
    many = [f"+90212{number:07}" for number in range(LISTED_MAX + 1)]
    assert [(one.field, one.message) for one in wrong_in_workspace({"own_addresses": many, "region": "TR"})] == [
        ("own_addresses", "more than 1000")
    ]
    schema = SmtpAdapter().settings_schema()["inbox"]["settings"]
    aliases = [f"a{number}@ornek.com" for number in range(LISTED_MAX + 1)]
    assert [one.field for one in wrong_in(schema, {"aliases": aliases})] == ["aliases"]
    assert list(wrong_in(schema, {"aliases": aliases[1:]})) == []
