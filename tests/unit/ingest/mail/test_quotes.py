"""What is new in a reply, in the shapes that mail programs give it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.quotes import split_reply

CASES = {
    "gmail tr": ("Tamam.\n\nDestek <d@x.com>, 3 Kas 2025 Pzt, 14:05 tarihinde şunu yazdı:\n\n> eski", "Tamam."),
    "gmail tr, wrapped": (
        "Tamam.\n\nÇok Uzun Adlı Destek Ekibi <d@x.com>, 3 Kas 2025 Pzt, 14:05\ntarihinde şunu yazdı:\n\n> eski",
        "Tamam.",
    ),
    "gmail tr, date first": ("Tamam.\n\n3 Kas 2025 Pzt 14:05 tarihinde Destek <d@x.com> şunu yazdı:\n\n> eski", "Tamam."),
    "gmail tr from html": ("Tamam.\n\nDestek <d@x.com>, 3 Kas 2025 Pzt, 14:05 tarihinde şunu yazdı:\n\neski", "Tamam."),
    "iphone tr": ("Tamam.\n\niPhone'umdan gönderildi\n\nDestek <d@x.com> şunları yazdı (3 Kas 2025 14:05):\n\neski", "Tamam."),
    "iphone tr, quoted": ("Tamam.\n\n> Destek <d@x.com> şunları yazdı (3 Kas 2025 14:05):\n> \n> eski", "Tamam."),
    "outlook tr": (
        "Tamam.\n\n________________________________\nKimden: Destek <d@x.com>\nGönderildi: 3 Kasım 2025 Pazartesi 14:05\n"
        "Kime: Ali <a@b.c>\nKonu: YNT: Sipariş\n\neski",
        "Tamam.",
    ),
    "outlook tr, new": ("Tamam.\n\nGönderen: Destek <d@x.com>\nTarih: 3 Kasım 2025\nKime: a@b.c\nKonu: x\n\neski", "Tamam."),
    "outlook tr, bold": ("Tamam.\n\n*Kimden:* Destek\n*Gönderildi:* 3 Kasım\n*Kime:* a@b.c\n*Konu:* x\n\neski", "Tamam."),
    "outlook tr, old": ("Tamam.\n\n-----Özgün İleti-----\nKimden: Destek\n\neski", "Tamam."),
    "yandex tr": ('Tamam.\n\n03.11.2025, 14:05, "Destek" <d@x.com>:\n\neski', "Tamam."),
    "gmail en": ("Fine.\n\nOn Mon, Nov 3, 2025 at 2:05 PM Support <d@x.com> wrote:\n\n> old", "Fine."),
    "gmail en, wrapped": ("Fine.\n\nOn Mon, Nov 3, 2025 at 2:05 PM Support\n<d@x.com> wrote:\n\n> old", "Fine."),
    "gmail de": ("Gut.\n\nAm Mo., 3. Nov. 2025 um 14:05 Uhr schrieb Support <d@x.com>:\n\n> alt", "Gut."),
    "gmail fr": ("Bien.\n\nLe lun. 3 nov. 2025 à 14:05, Support <d@x.com> a écrit :\n\n> vieux", "Bien."),
    "gmail ru": ("Да.\n\nпн, 3 нояб. 2025 г. в 14:05, Support <d@x.com>:\n\n> старое", "Да."),
    "outlook en": ("Fine.\n\nFrom: Support <d@x.com>\nSent: Monday, November 3, 2025\nTo: Ali\nSubject: RE: x\n\nold", "Fine."),
    "forward": (
        "Bakar mısınız?\n\n---------- İletilmiş ileti ---------\nGönderen: A <a@b.c>\nDate: x\n\neski",
        "Bakar mısınız?\n\n---------- İletilmiş ileti ---------\nGönderen: A <a@b.c>\nDate: x\n\neski",
    ),
    "bottom answer": ("On 3 Nov 2025 at 14:05, Support <d@x.com> wrote:\n> q\n\nCevabım aşağıda.", "Cevabım aşağıda."),
    "above and below": ("Üstte.\n\nOn 3 Nov 2025, d@x.com wrote:\n> q\n\nAltta.", "Üstte.\n\nAltta."),
    "inline": ("> Adınız?\nAli\n> Soyadınız?\nVeli", "> Adınız?\nAli\n> Soyadınız?\nVeli"),
    "one question": ("> Adınız?\nAli", "Ali"),
    "cited between": ("Şu cümleniz:\n\n> iade olmaz\n\ndoğru değil.", "Şu cümleniz:\n\n> iade olmaz\n\ndoğru değil."),
    "signature": ("Tamam.\n\n-- \nAli Can\nMüdür", "Tamam."),
    "wrapped quote": ("Tamam.\n\n> " + "uzun " * 14 + "\ndevamı\n> son", "Tamam."),
    "reply above": ("Tamam.\n\n##- Lütfen bu satırın üzerine yazın -##\neski", "Tamam."),
    "yahoo tr": (
        "Tamam.\n\nAndroid’de Yahoo Mail’den gönderildi\n\n3 Kas 2025, 14:05 tarihinde Destek<d@x.com> şunu yazdı:   eski\neski",
        "Tamam.",
    ),
    "outlook app tr": (
        "Tamam.\n\niOS için Outlook'u edinin<https://aka.ms/x>\n____________\nKimden: D\nKime: a\nKonu: b\n\neski",
        "Tamam.",
    ),
    "parcel, no telephone": ("Bilgi:\nÜrün İstanbul'dan gönderildi", "Bilgi:\nÜrün İstanbul'dan gönderildi"),
    "verb in prose": ("Dün bana şunu yazdı:\nkargo gecikti", "Dün bana şunu yazdı:\nkargo gecikti"),
    "colon in prose": ("Kimden: bilmiyorum\nama geldi", "Kimden: bilmiyorum\nama geldi"),
    "only a quote": ("> yalnız alıntı", "> yalnız alıntı"),
    "only a forward": ("-----Original Message-----\nFrom: a\n\nb", "-----Original Message-----\nFrom: a\n\nb"),
    "dashes in prose": ("Liste:\n- bir\n- iki", "Liste:\n- bir\n- iki"),
}


@pytest.mark.parametrize("name", CASES)
def test_new_part(name: str) -> None:
    text, new = CASES[name]
    assert split_reply(text).text == new


def test_what_is_cut_is_kept_beside_it() -> None:
    reply = split_reply("Tamam.\n\niPhone'umdan gönderildi\n\nDestek <d@x.com> şunları yazdı (3 Kas 2025 14:05):\n\neski")
    assert reply.signature == "iPhone'umdan gönderildi"
    assert reply.quoted.splitlines() == ["Destek <d@x.com> şunları yazdı (3 Kas 2025 14:05):", "", "eski"]


LINES = st.sampled_from(
    [
        "",
        "x",
        "> q",
        "-- ",
        "On 3 Nov 2025, a@b.c wrote:",
        "wrote:",
        "Kimden: a",
        "Kime: b",
        "Konu: c",
        "_" * 32,
        "iPhone'umdan gönderildi",
        "On 3 Nov 2025, Ali <a@b.c",
        ">:",
        "> Begin forwarded message:",
        "---------- Forwarded message ---------",
        "Date: 3 Nov 2025",
        "--",
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=20)), max_size=30), st.booleans())
def test_nothing_is_lost_and_nothing_becomes_empty(lines: list[str], forwarded: bool) -> None:
    text = "\n".join(lines)
    reply = split_reply(text, forwarded=forwarded)
    assert bool(reply.text.strip()) == bool(text.strip())
    parts = "\n".join([reply.text, reply.quoted, reply.signature])
    assert sorted(parts.split()) == sorted(text.split())


@pytest.mark.parametrize(
    "line",
    [
        "wrote:\n",
        "Kimden: x\n",
        "> q\nx\n",
        "--\n",
        "iPhone'umdan gönderildi\n",
        "ş" * 300 + "\n",
        "2025 a@b.c yazdı (" * 20 + ":\n",
        "<" * 390 + ":\n",
    ],
)
def test_long_texts_take_linear_time(line: str) -> None:
    assert split_reply(line * 9_000).text
