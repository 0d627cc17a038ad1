"""What a message is made of beside its words: what its channel said, else what its kind and its files say. Pure.

The same function answers for rules at intake, for what-if from stored rows, and for pages, so messages of earlier releases and of every
channel have contents alike, whether or not files were fetched.
**Identity**: a content by its code, a word of `shared.message.Content`, shown in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from shared.message import Content, InboundMessage

_KINDS: Final[Mapping[str, Content]] = {"call": "call", "missed_call": "call", "voicemail": "voice"}
_TYPES: Final[Mapping[str, Content]] = {"text/calendar": "invitation", "text/vcard": "contact", "text/x-vcard": "contact"}
_MEDIA: Final[Mapping[str, Content]] = {"image": "photo", "video": "video", "audio": "audio"}


def content_of(content_type: str) -> Content:
    """What a file of this content type is to its reader."""
    essence = content_type.partition(";")[0].strip().lower()
    return _TYPES.get(essence) or _MEDIA.get(essence.partition("/")[0], "file")


def contents_of(
    *, kind: str, told: Sequence[str] | None, parts: Iterable[Mapping[str, Any]] | None, has_words: bool
) -> list[str]:  # fmt: skip
    """Codes, each once, in the order they came. ``told``: what the channel said, which is then all; ``parts`` as in a message's body.

    Pictures that stand within words (logos, signatures) are decoration; where there are no words they are what came.
    """
    if told:
        return list(dict.fromkeys(told))
    files = [part for part in parts or () if part.get("role", "attachment") == "attachment"]
    shown = [part for part in files if not part.get("inline")] or ([] if has_words else files)
    found = [content_of(str(part.get("content_type") or "")) for part in shown]
    return list(dict.fromkeys([_KINDS[kind], *found] if kind in _KINDS else found))


def contents_of_message(message: InboundMessage) -> list[str]:
    """The same of a message on its way in."""
    return contents_of(
        kind=message.kind, told=message.contents, parts=[part.model_dump() for part in message.parts], has_words=bool(message.text.strip()),
    )  # fmt: skip
