"""What a message is made of: the channel's word first, then its kind and its files, alike at intake and from a stored row."""

from __future__ import annotations

from typing import Any

import pytest

from router.signals.contents import content_of, contents_of


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("image/png", "photo"), ("IMAGE/JPEG; name=a.jpg", "photo"), ("video/mp4", "video"), ("audio/ogg", "audio"),
        ("text/calendar; method=REQUEST", "invitation"), ("text/vcard", "contact"), ("application/pdf", "file"), ("", "file"),
    ],
)  # fmt: skip
def test_a_files_content_type_is_a_content(content_type: str, content: str) -> None:
    assert content_of(content_type) == content


def part(content_type: str, **more: Any) -> dict[str, Any]:
    return {"content_type": content_type, **more}


LOGO = part("image/png", inline=True)


@pytest.mark.parametrize(
    ("kind", "told", "parts", "has_words", "contents"),
    [
        ("text", ["photo", "ad", "photo"], [part("application/pdf")], False, ["photo", "ad"]),
        ("text", None, [part("application/pdf"), part("image/png"), part("text/plain")], True, ["file", "photo"]),
        ("text", [], [part("text/html", role="html"), part("message/rfc822", role="original")], True, []),
        ("text", None, [LOGO], True, []),
        ("text", None, [LOGO], False, ["photo"]),
        ("text", None, [LOGO, part("application/pdf")], False, ["file"]),
        ("missed_call", None, None, False, ["call"]),
        ("voicemail", None, [part("audio/wav")], False, ["voice", "audio"]),
    ],
)  # fmt: skip
def test_what_a_message_is_made_of(kind: str, told: Any, parts: Any, has_words: bool, contents: list[str]) -> None:
    assert contents_of(kind=kind, told=told, parts=parts, has_words=has_words) == contents
