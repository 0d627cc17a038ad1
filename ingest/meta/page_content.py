"""What a Messenger or Instagram message says: its words, and what it is made of where it is more than words.

Source: Messenger Platform, "messages webhook event"; Instagram API with Instagram Login, "webhooks".
A kind of attachment that is not known here still reaches an agent, as content that cannot be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingest.meta.events import told
from shared.message import ABOUT_CHARS_MAX
from shared.text import clean_line, clean_text

_CONTENTS: Final = {
    "image": "photo", "video": "video", "audio": "audio", "file": "file", "location": "location", "sticker": "sticker",
    "story_mention": "story", "ig_story": "story", "reel": "reel", "ig_reel": "reel", "share": "post", "post": "post", "ig_post": "post",
    "fallback": "post", "template": "post", "product": "post",
}  # fmt: skip
"""By an attachment's type."""
_REFERRED: Final = frozenset({"story", "reel", "post"})


def content_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a draft that say what was written. Raises ``TypeError`` or ``AttributeError`` on another shape."""
    attachments = list(message.get("attachments") or ())
    contents = [_content(one) for one in attachments]
    words = [clean_text(told(message, "text")), *(line for one in attachments for line in _words(one))]
    about = [*_story(message), *_ad(message), _product(message), *(_link(one) for one in attachments if _content(one) in _REFERRED)]
    if message.get("is_unsupported"):
        contents.append("unsupported")
    if _story(message):
        contents.append("story")
    if _ad(message):
        contents.append("ad")
    if message.get("quick_reply"):
        contents.append("choice")
    if not (any(words) or contents):
        contents.append("unsupported")
    values: dict[str, Any] = {"text": "\n".join(word for word in words if word)}
    if contents:
        values["contents"] = tuple(dict.fromkeys(contents))
    if any(about):
        values["about"] = " · ".join(clean_line(one) for one in dict.fromkeys(about) if one)[:ABOUT_CHARS_MAX]
    if attachments:
        values["traits"] = {"attachments": ",".join(told(one, "type") for one in attachments)}
    return values


def _content(attachment: Mapping[str, Any]) -> str:
    if (attachment.get("payload") or {}).get("sticker_id"):
        return "sticker"
    return _CONTENTS.get(told(attachment, "type"), "unsupported")


def _words(attachment: Mapping[str, Any]) -> Iterator[str]:
    """The words of a place, or of a template's text and cards; nothing of anything else."""
    payload = attachment.get("payload") or {}
    if attachment.get("type") == "location":
        at = payload.get("coordinates") or {}
        yield clean_line(str(attachment.get("title") or payload.get("title") or ""))
        if "lat" in at and "long" in at:
            yield f"{at['lat']},{at['long']}"
    if attachment.get("type") == "template":
        yield clean_text(told(payload, "text"))
        for holder in (payload, payload.get("generic") or {}, payload.get("product") or {}):
            for card in holder.get("elements") or ():
                yield " · ".join(clean_line(str(card[name])) for name in ("title", "subtitle") if card.get(name))


def _link(attachment: Mapping[str, Any]) -> str:
    payload = attachment.get("payload") or {}
    link = (attachment.get("title") or payload.get("title"), payload.get("url") or payload.get("link") or attachment.get("url"))
    return " ".join(str(one) for one in link if one)


def _story(message: Mapping[str, Any]) -> list[str]:
    """The story that is answered; there is something to say even without its address."""
    story = (message.get("reply_to") or {}).get("story")
    return [] if not story else [told(story, "url") or told(story, "id")]


def _ad(message: Mapping[str, Any]) -> list[str]:
    """The ad or the post somebody came from."""
    referral = message.get("referral") or {}
    context = referral.get("ads_context_data") or {}
    return [str(one) for one in (context.get("ad_title"), referral.get("source_url") or referral.get("ref")) if one]


def _product(message: Mapping[str, Any]) -> str:
    """The product from whose page somebody writes, by its id."""
    referral = message.get("referral") or {}
    return told(referral.get("product") or {}, "id")
