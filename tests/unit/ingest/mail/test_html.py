import asyncio
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.html import _ATTRIBUTES, _SCHEMES, _TAGS, TAGS_MAX, clean_html, is_tame, plain_text
from ingest.mail.html_worker import HtmlCleaner, clean
from ingest.mail.mime import read_mail
from ingest.steps import at_most
from tests.support.script_corpus import payloads

ADOPTION_BOMB = "".join(f"<b {n}>" for n in range(2_000)) + "".join(f"<i {n}>" for n in range(2_000)) + "x</b>" * 2_000
DEPTH_BOMB = "<div>" * 40_000 + "dip"
MEGABYTE_BOMB = ("".join(f"<b {n}>" for n in range(30_000)) + "x</b>" * 120_000)[:1_000_000]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Bir</p><p>İki</p>", "Bir\n\nİki"),
        ("Bir<br>İki<div>Üç</div>Dört", "Bir\nİki\nÜç\nDört"),
        ("<head><title>t</title><style>a{}</style></head><body>x<script>y</script></body>", "x"),
        ("<head><meta>asla<body>görünür", "görünür"),
        ("<ul><li>a<li>b</ul><ol><li>c</li><li>d</li></ol>", "- a\n- b\n1. c\n2. d"),
        ("<blockquote>alıntı<blockquote>iç</blockquote></blockquote>dış", "> alıntı\n>\n> > iç\n\ndış"),
        ('<a href="https://ornek.com/iade">tıklayın</a>', "tıklayın (https://ornek.com/iade)"),
        ('<a href="https://ornek.com/">ornek.com</a> <a href="mailto:a@b.c">a@b.c</a>', "ornek.com a@b.c"),
        ('<a href="javascript:x">dokun</a>', "dokun"),
        ("<table><tr><td>ad</td><td>soyad</td></tr><tr><td>Ali</td></tr></table>", "ad soyad\nAli"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ("a&nbsp;b &amp; &#351; &#x1F600; &#99999999999999999999;", "a\xa0b & ş 😀 \ufffd"),
        ('<img alt="logo" src=x>', "logo"),
        ("1 < 2 <!-- gizli --> <![if x]>son", "1 < 2 son"),
        ("<p>kapanmayan <b attr='x", "kapanmayan"),
    ],
)
def test_text_is_what_a_reader_sees(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<div style="display:none">x<div>y</div>z</div><p>Görünen</p>', "Görünen"),
        ('<span style="mso-hide:all;font-size:0px">x</span>Görünen', "Görünen"),
        ('<a style="mso-hide:all;font-size:14px" href="https://ornek.com/a">Git</a>', "Git (https://ornek.com/a)"),
        ('<td style="font-size:0px"><div style="FONT-SIZE: 13px">Görünen</div>x</td>y', "Görünen\ny"),
        ('<font style="font-size: 1px; color: #fff">x</font><p>Görünen</p>', "Görünen"),
        ('<div style="max-height:0; overflow:hidden">x</div><div style="max-height:0">Görünen</div>', "Görünen"),
        ('<p style="opacity:.5">Görünen</p><p style="opacity:0 !important">x</p>', "Görünen"),
        ("<p hidden>x<p>Görünen", "Görünen"),
        ("<div><span hidden>x</div>Görünen", "Görünen"),
        ('<table><tr><td style="display:none">x<td>Görünen</tr></table>', "Görünen"),
        ("<div>Görünen<br hidden><img hidden alt=x></div>", "Görünen"),
        ("<p>bir&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;</p><p>&#8203;\ufeff&nbsp;</p><p>ta&shy;til</p>", "bir\n\ntatil"),
        ("می\u200cخواهم 👨\u200d👩", "می\u200cخواهم 👨\u200d👩"),
        ('<div style="display:none">hepsi gizli</div>', "hepsi gizli"),
    ],
)
def test_what_the_page_hides_is_left_out(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    "page",
    [
        "<svg>" * 80_000 + "</math>" * 80_000,
        '<b style="font-size:0">' * 40_000 + "</i>" * 80_000,
        "<div hidden>" * 80_000 + "</p>" * 80_000,
    ],
)
def test_hiding_costs_the_same_however_deep(page: str) -> None:
    started = time.process_time()
    plain_text(page)
    assert time.process_time() - started < 10


@given(st.text(alphabet="<>/ab=\"'& \n!-#;x9", max_size=200))
def test_any_page_has_a_text_and_a_clean_form(html: str) -> None:
    assert "\x00" not in plain_text(html)
    assert not re.search(r"(?i)<(?!/?(?:a|b|ab|abbr|/)\b)[a-z]", clean_html(html).replace("<br>", ""))


ATTACKS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)><animate></svg>", '<a href="javascript:alert(1)">x</a>',
    '<a href=" jAvA\tscript:alert(1)">x</a>', "<math><mtext><style><img src=x onerror=alert(1)></style></math>", "<iframe srcdoc='<b>'></iframe>",
    "<form action=//kotu><input name=p><button>gir</button></form>", "<style>@import url(//kotu)</style>", "<object data=x></object>",
    "<base href=//kotu>", "<meta http-equiv=refresh content='0;url=//kotu'>", "<a href='//kotu.example'>x</a>", "<a href='data:text/html,x'>x</a>",
    "<img src='https://izci.example/1.gif'>", "<img src='//izci.example/1.gif'>", "<img srcset='https://izci.example/1.gif 1x'>",
    "<table background='https://izci.example/x'>", "<p style='background:url(https://izci.example)'>x</p>", "<video src=https://izci.example></video>",
    "<a href='cid:x'>x</a>", "<body onload=alert(1)>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_runs_loads_or_submits(attack: str) -> None:
    cleaned = clean_html(attack)
    assert not re.search(
        r"(?i)<[^>]*\s(?:on\w+|style|srcset|background|action|srcdoc)\s*=|javascript:|izci|<(?:script|svg|math|style|form|iframe|meta|base|object|video|input)",
        cleaned,
    )
    assert not re.search(r"(?i)(?:src|href)=[\"']?(?!https?://|mailto:|tel:)[^\s>\"']", cleaned)


def test_what_is_allowed_stays() -> None:
    cleaned = clean_html('<p dir="rtl"><a href="https://ornek.com/x">git</a> <img src="cid:logo@x" alt="logo"></p>')
    assert 'href="https://ornek.com/x"' in cleaned
    assert 'rel="noopener noreferrer nofollow"' in cleaned
    assert '<img src="cid:logo@x" alt="logo">' in cleaned
    assert clean_html('<img src="https://izci.example/x" alt="resim">') == '<img alt="resim">'


@pytest.mark.parametrize(
    "bomb",
    [ADOPTION_BOMB, DEPTH_BOMB, MEGABYTE_BOMB, "<a " + "b " * 100 + ">x", "x" * 1_000_001],
    ids=["b", "div", "1 MB", "attributes", "long"],
)
def test_bombs_become_text(bomb: str) -> None:
    assert not is_tame(bomb)
    assert "<b" not in clean_html(bomb).replace("<br>", "")


def test_open_formatting_elements_are_bounded_before_depth_is() -> None:
    assert is_tame("<i x>" * 64)
    assert not is_tame("<i x>" * 65)
    assert is_tame("<span>" * 200)


def test_real_pages_are_tame() -> None:
    assert is_tame("<table><tr><td><p>x<li>y" * 150)
    assert is_tame("<p>x" * 10_000)
    assert is_tame("<b>x</b>" * 10_000)


async def test_worker_cleans_and_is_used_again() -> None:
    async with HtmlCleaner(timeout_s=10) as cleaner:
        assert await cleaner.clean("<p onclick=x>ş</p><script>y</script>") == "<p>ş</p>"
        assert await asyncio.gather(*(cleaner.clean(f"<b>{n}</b>") for n in range(20))) == [f"<b>{n}</b>" for n in range(20)]


async def test_worker_that_is_too_slow_is_replaced() -> None:
    async with HtmlCleaner(timeout_s=0.0) as cleaner:
        assert await cleaner.clean("<p>bir</p>") == "bir"
        assert await cleaner.clean("<p>iki & üç</p>") == "iki &amp; üç"


async def test_worker_that_was_killed_is_replaced() -> None:
    async with HtmlCleaner(timeout_s=10) as cleaner:
        assert await cleaner.clean("<p>bir</p>") == "<p>bir</p>"
        (child,) = cleaner._processes._children
        await child.kill()
        assert await cleaner.clean("<p>iki</p>") == "<p>iki</p>"


async def test_cancelled_page_leaves_no_answer_behind() -> None:
    async with HtmlCleaner(timeout_s=10) as cleaner:
        await cleaner.clean("")
        task = asyncio.create_task(cleaner.clean("<p>" + "x" * 500_000))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not cleaner._processes._children, "the child with half an answer must be gone"
        assert await cleaner.clean("<p>sonra</p>") == "<p>sonra</p>"


async def test_one_page_now_and_then() -> None:
    assert await clean("<p>x</p><script>y</script>") == "<p>x</p>"


async def test_closed_worker_answers_text() -> None:
    cleaner = HtmlCleaner()
    await cleaner.close()
    await cleaner.close()
    assert await cleaner.clean("<p>x</p>") == "x"


async def test_event_loop_goes_on_while_bombs_are_cleaned() -> None:
    gaps = [0.0]

    async def watch() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async with HtmlCleaner(timeout_s=2) as cleaner:
        await cleaner.clean("")
        watcher = asyncio.create_task(watch())
        results = await asyncio.gather(cleaner.clean(MEGABYTE_BOMB), cleaner.clean(ADOPTION_BOMB), cleaner.clean(DEPTH_BOMB))
        watcher.cancel()
    assert all("<b" not in result.replace("<br>", "") for result in results)
    # A blocked loop would stand still for seconds; the bound leaves room for a busy machine.
    assert max(gaps) < 1.0


@pytest.mark.parametrize(
    ("attributes", "quotes"),
    [
        ('style="margin:0 0 0 40px;border:none;padding:0"', False),  # Gmail: indent more
        ('style="margin: 0 0 0 40px; border: none"', False),
        ('style="border-left-style: none"', False),
        ('style="border:0;border-left:1px solid #ccc"', True),
        ('style="border-left:0.8ex solid"', True),
        ('style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex"', True),
        ('class="gmail_quote" style="border:none"', True),
        ('type="cite" style="border:none"', True),
        ('style="margin:0 0 0 40px"', True),  # says nothing about a line
        ("", True),
    ],
)
def test_a_blockquote_that_says_it_has_no_line_indents_and_quotes_nothing(attributes: str, quotes: bool) -> None:
    page = f"<p>Bir</p><blockquote {attributes}><p>iki</p><blockquote>üç</blockquote>dört</blockquote><p>beş</p>"
    mark = "> " if quotes else ""
    assert [line for line in plain_text(page).splitlines() if line.strip(" >")] == [
        "Bir", f"{mark}iki", f"{mark}> üç", f"{mark}dört", "beş",
    ]  # fmt: skip


def test_blockquotes_that_nobody_closes_or_opens_stay_bounded() -> None:
    page = "</blockquote>" * 3 + "<blockquote>" * 5_000 + "x" + "</blockquote>" * 6_000 + "<p>y</p>"
    assert plain_text(page).splitlines()[-1] == "y"
    assert max(len(line) for line in plain_text(page).splitlines()) <= 50


_OURS = {("target", "_blank"), ("rel", "noopener noreferrer"), ("rel", "noopener noreferrer nofollow")}
CORPUS = payloads("http://127.0.0.1:9/canary")


class Shown(HTMLParser):
    """What a page that was cleaned still consists of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.wrong.append(tag)
        for name, value in attrs:
            if (name, value) in _OURS:
                continue
            if name not in _ATTRIBUTES["*"] | _ATTRIBUTES.get(tag, set()):
                self.wrong.append(f"{tag} {name}")
            scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", re.sub(r"[\x00-\x20]", "", value or "").lower())
            if name in ("href", "src") and scheme is not None and scheme[1] not in _SCHEMES:
                self.wrong.append(f"{tag} {name}={value}")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.wrong.append(data)

    def handle_pi(self, data: str) -> None:
        self.wrong.append(data)


def strange_in(page: str) -> list[str]:
    shown = Shown()
    shown.feed(clean_html(page))
    shown.close()
    return shown.wrong


def test_the_corpus_is_large_and_leaves_only_what_is_listed() -> None:
    assert len(CORPUS) >= 200
    assert {one: wrong for one in CORPUS if (wrong := strange_in(one))} == {}


@given(st.lists(st.sampled_from(CORPUS) | st.text(alphabet="<>/='\"&;! abs\n-", max_size=12), max_size=8).map("".join))
def test_whatever_is_put_together_leaves_only_what_is_listed(page: str) -> None:
    assert strange_in(page) == []
    assert strange_in(clean_html(page)) == []


def test_of_very_many_tags_the_first_are_read() -> None:
    page = "<p>bir" + "<i>" * TAGS_MAX + "iki"
    with at_most(5 * TAGS_MAX):
        assert plain_text(page) == "bir"
    assert plain_text("<p>bir" + "<i>" * (TAGS_MAX - 1) + "iki") == "biriki"


def test_the_pages_of_a_mail_are_read_within_one_bound_together() -> None:
    part = b"--x\r\nContent-Type: text/html\r\n\r\n<p>" + b"bir" + b"<i>" * (TAGS_MAX // 2) + b"\r\n"
    raw = b"From: a@ornek.net\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + part * 12 + b"--x--\r\n"
    with at_most(5 * TAGS_MAX):
        assert read_mail(raw).text.startswith("bir")
