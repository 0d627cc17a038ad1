"""Who wrote: address fields as they are written, and that no field comes out as somebody else's mailbox."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.mail.addresses import MAILBOXES_MAX, parse_mailboxes
from shared.errors import InputRejected
from shared.handle import normalized


def read(text: str) -> list[tuple[str | None, str]]:
    return [(box.name, box.address) for box in parse_mailboxes(text)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        # needed quotes stay
        ('<"veli can"@b.example>', '"veli can"@b.example'),
        ('"veli can"@b.example', '"veli can"@b.example'),
        ('Veli <"veli  can"@b.example>', '"veli  can"@b.example'),
        ('<" veli"@b.example>', '" veli"@b.example'),
        ('<"hana..ko"@docomo.example>', '"hana..ko"@docomo.example'),
        ('<".hana"@docomo.example>', '".hana"@docomo.example'),
        ('"hana."@docomo.example', '"hana."@docomo.example'),
        ('<"veli@ev"@b.example>', '"veli@ev"@b.example'),
        ('"veli@ev.example"@b.example', '"veli@ev.example"@b.example'),
        ('<"a>b"@b.example>', '"a>b"@b.example'),
        ('<"a,b;c:d"@b.example>', '"a,b;c:d"@b.example'),
        ('<"a(b)c"@b.example>', '"a(b)c"@b.example'),
        (r'<"a\"b"@b.example>', r'"a\"b"@b.example'),
        (r'<"a\\b"@b.example>', r'"a\\b"@b.example'),
        (r'"a\" <x@y.example>"@b.example', r'"a\" <x@y.example>"@b.example'),
        ('"/C=DE/A= /P=firma/S=muster/"@gw.example', '"/C=DE/A= /P=firma/S=muster/"@gw.example'),
        ('<"ayşe y"@b.example>', '"ayşe y"@b.example'),
        ('<"a b" . "c"@b.example>', '"a b.c"@b.example'),
        # needless ones go
        ('<"veli"@b.example>', "veli@b.example"),
        ('"veli"@b.example', "veli@b.example"),
        ('<"veli.can"@B.Example>', "veli.can@b.example"),
        ('<"Veli"."can"@b.example>', "Veli.can@b.example"),
        ('"veli".can@b.example', "veli.can@b.example"),
        ('veli."can"@b.example', "veli.can@b.example"),
        (r'<"v\eli"@b.example>', "veli@b.example"),
        ('<"ayşe"@b.example>', "ayşe@b.example"),
        ('<"veli" @ b.example>', "veli@b.example"),
        # without quotes where there should be some
        ("<hana..ko@docomo.example>", "hana..ko@docomo.example"),
        ("hana.@docomo.example", "hana.@docomo.example"),
        ("<veli can@b.example>", '"veli can"@b.example'),
        ("</C=DE/A= /P=firma/@gw.example>", '"/C=DE/A= /P=firma/"@gw.example'),
        ("<a@b@c.example>", '"a@b"@c.example'),
        # the whole address in quotes
        ('<"veli@b.example">', "veli@b.example"),
        ('"veli@b.example"', "veli@b.example"),
        ("<'veli@b.example'>", "veli@b.example"),
        ("'veli@b.example'", "veli@b.example"),
        ("<o'veli@b.example>", "o'veli@b.example"),
        ("<'veli@b.example>", "'veli@b.example"),
    ],
)
def test_local_parts_keep_the_quotes_they_need(text: str, address: str) -> None:
    assert [box.address for box in parse_mailboxes(text)] == [address]
    assert [box.address for box in parse_mailboxes(f"Veli Can <{address}>")] == [address]
    assert [box.address for box in parse_mailboxes(f"once@b.example, {address} (Veli)")] == ["once@b.example", address]


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        # names with quotes, as GMX and web.de write them
        ('=?UTF-8?Q?"J=C3=B6rg_M=C3=BCller"?= <j@gmx.example>', [("Jörg Müller", "j@gmx.example")]),
        ("=?UTF-8?Q?=22J=C3=B6rg_M=C3=BCller=22?= <j@web.example>", [("Jörg Müller", "j@web.example")]),
        ('=?UTF-8?Q?"J=C3=B6rg?= =?UTF-8?Q?_M=C3=BCller"?= <j@gmx.example>', [("Jörg Müller", "j@gmx.example")]),
        ('"=?UTF-8?Q?=22J=C3=B6rg_M=C3=BCller=22?=" <j@gmx.example>', [("Jörg Müller", "j@gmx.example")]),
        ("=?UTF-8?Q?=22Ali_=5C=22Usta=5C=22_Can=22?= <a@gmx.example>", [('Ali "Usta" Can', "a@gmx.example")]),
        ("=?UTF-8?Q?=22Ali=22_ve_=22Can=22?= <a@gmx.example>", [('"Ali" ve "Can"', "a@gmx.example")]),
        ("\"'Ali Can'\" <a@b.example>", [("Ali Can", "a@b.example")]),
        # encoded words beside, inside and around an address
        ("=?utf-8?Q?Ay=C5=9Fe?=<a@b.example>", [("Ayşe", "a@b.example")]),
        ("=?utf-8?Q?Ay=C5=9Fe?= a@b.example", [("Ayşe", "a@b.example")]),
        ("a@b.example =?utf-8?Q?(Ay=C5=9Fe)?=", [("(Ayşe)", "a@b.example")]),
        ("<=?utf-8?Q?ay=C5=9Fe?=@b.example>", [(None, "ayşe@b.example")]),
        ("=?utf-8?Q?ay=C5=9Fe?=@b.example", [(None, "ayşe@b.example")]),
        ("<=?utf-8?Q?=22a_b=22?=@b.example>", [(None, '"a b"@b.example')]),
        ("<=?utf-8?Q?=22ayse=22?=@b.example>", [(None, "ayse@b.example")]),
        ("<a@=?utf-8?Q?=C3=B6=2Eexample?=>", [(None, "a@ö.example")]),
        ("a@=?utf-8?Q?=C3=B6=2Eexample?=", [(None, "a@ö.example")]),
        ("<=?utf-8?Q?a=40b=2Eexample?=>", [(None, "a@b.example")]),
        ("=?utf-8?Q?Ay=C5=9Fe_=3Ca=40b=2Eexample=3E?=", [("Ayşe", "a@b.example")]),
        ('=?utf-8?Q?"Y=C4=B1lmaz,_Ay=C5=9Fe"_<a@b.example>?=', [("Yılmaz, Ayşe", "a@b.example")]),
        ("=?utf-8?Q?Ay=C5=9Fe_=3C=22a_b=22=40b=2Eexample=3E?=", [("Ayşe", '"a b"@b.example')]),
        ("=?utf-8?B?PGFAYi5leGFtcGxlPg==?=", [(None, "a@b.example")]),
        # groups, routes, comments
        ("Satis: Ali <a@b.example>, \"c d\"@e.example; x@y.example", [("Ali", "a@b.example"), (None, '"c d"@e.example'), (None, "x@y.example")]),
        ('"Satis: TR": a@b.example;', [(None, "a@b.example")]),
        ("undisclosed recipients: ;", []),
        ("<@r.example,@s.example:a@b.example>", [(None, "a@b.example")]),
        ("<@r.example:a@[IPv6:2001:db8::1]>", [(None, "a@[ipv6:2001:db8::1]")]),
        ("a@[IPv6:2001:db8::1] (Ali)", [("Ali", "a@[ipv6:2001:db8::1]")]),
        ("<@r.example:\"a:b\"@c.example>", [(None, '"a:b"@c.example')]),
        ("ali(evde)@b(x).example", [("evde x", "ali@b.example")]),
        ("Ali <ali(evde)@b.example(x)>", [("Ali", "ali@b.example")]),
        ("<ali@b.example (Ali \\) Can)>", [("Ali ) Can", "ali@b.example")]),
        ("(a@b.example)", [(None, "a@b.example")]),
        # brackets
        ("Ali <<a@b.example>>, Can <c@d.example>", [("Ali", "a@b.example"), ("Can", "c@d.example")]),
        ("Ali <a@b.example, Can <c@d.example>", [("Ali", "a@b.example"), ("Can", "c@d.example")]),
        ("Ali <a@b.example; c@d.example>", [("Ali", "a@b.example"), (None, "c@d.example")]),
        ("a@b.example>", [(None, "a@b.example")]),
        ("a@b.example <a@b.example>", [("a@b.example", "a@b.example")]),
        ("Ali <a@b.example> <c@d.example>", [("Ali", "a@b.example")]),
        ("a@b.example <>", [(None, "a@b.example")]),
        ("<mailto:a@b.example>", [(None, "a@b.example")]),
        ("Ali <MAILTO:a@b.example>", [("Ali", "a@b.example")]),
        ("mailto:a@b.example", [(None, "a@b.example")]),
        # dots, blanks, half an address
        ("a@b.example.", [(None, "a@b.example")]),
        ("<a@b.example..>", [(None, "a@b.example")]),
        ("< a . c @ b . example >", [(None, "a.c@b.example")]),
        ('<"Ali Can" a@b.example>', [(None, "a@b.example")]),
        ("x@", []),
        ("Ali <x@>", []),
        ("<@b.example>", []),
        ("@b.example", []),
        ('""@b.example', []),
        ('<" "@b.example>', []),
        ("<x@.>", []),
        ("@", []),
        # several
        ('"a b"@c.example,d@e.example;"f"@g.example', [(None, '"a b"@c.example'), (None, "d@e.example"), (None, "f@g.example")]),
        ('a@b.example, <"c@d.example">', [(None, "a@b.example"), (None, "c@d.example")]),
        ("=?utf-8?Q?=3C=22a,b=22=40b=2Eexample=3E?=", [(None, '"a,b"@b.example')]),
        ('"a b".c."d"@e.example', [(None, '"a b.c.d"@e.example')]),
        (f"<{'a' * 3_000}@b.example>, c@d.example", [(None, "c@d.example")]),
        ('a@b.example, "Ali', [(None, "a@b.example")]),
        ('a@b.example, "Ali <c@d.example>', [(None, "a@b.example"), ("Ali", "c@d.example")]),
        ("a@b.example, (Ali <c@d.example>", [(None, "a@b.example"), ("Ali", "c@d.example")]),
    ],
)  # fmt: skip
def test_mailboxes(text: str, boxes: list[tuple[str | None, str]]) -> None:
    assert read(text) == boxes


@pytest.mark.parametrize(
    "text",
    [
        '"kurban@banka.example" <x@kotu.example>',
        '"kurban@banka.example" x@kotu.example',
        '"kurban@banka.example", x@kotu.example',
        '"<kurban@banka.example>" <x@kotu.example>',
        "kurban@banka.example <x@kotu.example>",
        "=?utf-8?Q?kurban=40banka.example?= <x@kotu.example>",
        "=?utf-8?Q?kurban@banka.example?= x@kotu.example",
        "=?utf-8?Q?<kurban@banka.example>?= <x@kotu.example>",
        "=?utf-8?Q?kurban=40banka.example=2C?= x@kotu.example",
        "(kurban@banka.example) x@kotu.example",
        "(<kurban@banka.example>) <x@kotu.example>",
        "<x@kotu.example> <kurban@banka.example>",
        "<@banka.example,@y.example:x@kotu.example>",
        "<x@kotu.example(>, kurban@banka.example)>",
        '"a\\" <kurban@banka.example>" <x@kotu.example>',
    ],
)
def test_what_is_a_name_is_no_address(text: str) -> None:
    assert [box.address for box in parse_mailboxes(text)] == ["x@kotu.example"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ('<"kurban@banka.example"@kotu.example>', '"kurban@banka.example"@kotu.example'),
        ('"kurban@banka.example"@kotu.example', '"kurban@banka.example"@kotu.example'),
        ("<=?utf-8?Q?kurban=40banka.example?=@kotu.example>", '"kurban@banka.example"@kotu.example'),
        ("<=?utf-8?Q?kurban=40banka.example=3E?=@kotu.example>", '"kurban@banka.example>"@kotu.example'),
        ("<kurban@banka.example(x).kotu.example>", "kurban@banka.example.kotu.example"),
        ("kurban@banka.example(x).kotu.example", "kurban@banka.example.kotu.example"),
        ("<kurban@banka.example@kotu.example>", '"kurban@banka.example"@kotu.example'),
    ],
)
def test_a_domain_is_what_stands_behind_the_last_at_sign(text: str, address: str) -> None:
    assert [box.address for box in parse_mailboxes(text)] == [address]


def test_a_domain_with_a_blank_in_it_is_nobody_we_know() -> None:
    [box] = parse_mailboxes("<ali@ban ka.example>")
    with pytest.raises(InputRejected):
        normalized("email", box.address)


ODD = ["a", "B", "@", '"', "\\", " ", ".", "(", ")", "<", ">", ",", ";", ":", "'", "=?utf-8?Q?", "?=", "=40", "=22", "mailto:", "ş", "[", "]",
       "b.example", "\t", "\x00", "İ", "e\u0301", "\u00a0"]  # fmt: skip
fields = st.lists(st.sampled_from(ODD), max_size=20).map("".join)
locals_ = st.lists(
    st.sampled_from(["a", "B", "@", '"', "\\", " ", ".", "(", ")", "<", ">", ",", ";", ":", "'", "ş", "=?"]), min_size=1, max_size=8
)


@given(fields)
@example("<=?utf-8?Q?a@,?=")
def test_an_address_read_again_is_the_address(text: str) -> None:
    for box in parse_mailboxes(text):
        if "@" in box.address:
            again = [one.address for one in parse_mailboxes(f"<{box.address}>")]
            assert again == [box.address]


@given(fields)
def test_a_handle_read_again_is_the_handle(text: str) -> None:
    for box in parse_mailboxes(text):
        try:
            handle = normalized("email", box.address)
        except InputRejected:
            continue
        assert normalized("email", handle.value) == handle
        [again] = parse_mailboxes(f"<{handle.value}>")
        assert normalized("email", again.address) == handle


@given(locals_.map("".join).filter(str.strip))
def test_any_quoted_local_part_is_that_mailbox(local: str) -> None:
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    [box] = parse_mailboxes(f'Ali <"{escaped}"@b.example>')
    assert [one.address for one in parse_mailboxes(f'"{escaped}"@b.example')] == [box.address]
    assert box.address in (f"{local}@b.example", f'"{escaped}"@b.example')
    assert box.name == "Ali"
    assert normalized("email", box.address).value.rpartition("@")[2] == "b.example"


@pytest.mark.parametrize(
    "text",
    ["(" * 60_000, '"\\' * 30_000, "<" * 60_000, "<a@" * 20_000, "=" * 60_000, "=?a?Q?" * 10_000, '"a"@' * 15_000, "a@(" * 20_000, '"x".' * 15_000,
     '"" ' * 20_000 + "@b.example", "[" * 60_000, "(a)" * 20_000 + "@b.example", ". " * 30_000 + "@b", "a@b.example," * 5_000, ":" * 60_000,
     " " * 60_000, "'" * 60_000 + " <a@b.example>", "\\\"" * 30_000, "a@b[" * 15_000],
)  # fmt: skip
def test_long_fields_take_no_long_time(text: str) -> None:
    began = time.process_time()
    assert len(parse_mailboxes(text)) <= MAILBOXES_MAX
    assert time.process_time() - began < 2


def test_a_hint_reads_names_and_no_address() -> None:
    field = "=?iso-8859-1?Q?I=FE=FDl_Y=FDld=FDz?= <=?iso-8859-1?Q?=FE=FDk?=@b.example>"
    assert [box.name for box in parse_mailboxes(field)] == ["Iþýl Yýldýz"]
    (box,) = parse_mailboxes(field, "windows-1254")
    assert box.name == "Işıl Yıldız"
    assert box.address == parse_mailboxes(field)[0].address, "whose mailbox it is does not depend on the mail around it"
    (box,) = parse_mailboxes("a@b.example (=?iso-8859-1?Q?I=FE=FDl?=)", "windows-1254")
    assert box.name == "Işıl"


@pytest.mark.parametrize("more", [":", "x: ", "mailto:", ": a"])
def test_signs_in_a_row_are_read_in_time_that_grows_with_them(more: str) -> None:
    # In time that grew with their square this took longer than a test may.
    found = parse_mailboxes("ayse@ornek.com " + more * 60_000)
    assert [one.address for one in found][:1] in ([], ["ayse@ornek.com"])
