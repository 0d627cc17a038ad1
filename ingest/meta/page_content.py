"""What a Messenger or Instagram message says: its words, and what it is made of where it is more than words.

Source: Messenger Platform, "messages webhook event"; Instagram API with Instagram Login, "webhooks".
A kind of attachment that is not known here still reaches an agent, as content that cannot be shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

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
    words = [clean_text(str(message.get("text") or "")), *(line for one in attachments for line in _place(one))]
    about = [*_story(message), *_ad(message), *(_link(one) for one in attachments if _content(one) in _REFERRED)]
    if message.get("is_unsupported"):
        contents.append("unsupported")
    if _story(message):
        contents.append("story")
    if _ad(message):
        contents.append("ad")
    if message.get("quick_reply"):
        contents.append("choice")
    values: dict[str, Any] = {"text": "\n".join(word for word in words if word)}
    if contents:
        values["contents"] = tuple(dict.fromkeys(contents))
    if any(about):
        values["about"] = " · ".join(clean_line(one) for one in dict.fromkeys(about) if one)[:ABOUT_CHARS_MAX]
    if attachments:
        values["traits"] = {"attachments": ",".join(str(one.get("type", "")) for one in attachments)}
    return values


def _content(attachment: Mapping[str, Any]) -> str:
    if (attachment.get("payload") or {}).get("sticker_id"):
        return "sticker"
    return _CONTENTS.get(str(attachment.get("type", "")), "unsupported")


def _place(attachment: Mapping[str, Any]) -> Iterator[str]:
    """The words of a place; nothing of anything else."""
    if attachment.get("type") == "location":
        payload = attachment.get("payload") or {}
        at = payload.get("coordinates") or {}
        yield clean_line(str(attachment.get("title") or payload.get("title") or ""))
        if "lat" in at and "long" in at:
            yield f"{at['lat']},{at['long']}"


def _link(attachment: Mapping[str, Any]) -> str:
    payload = attachment.get("payload") or {}
    told = (attachment.get("title") or payload.get("title"), payload.get("url") or payload.get("link") or attachment.get("url"))
    return " ".join(str(one) for one in told if one)


def _story(message: Mapping[str, Any]) -> list[str]:
    """The story that is answered; there is something to say even without its address."""
    story = (message.get("reply_to") or {}).get("story")
    return [] if not story else [str(story.get("url") or story.get("id") or "")]


def _ad(message: Mapping[str, Any]) -> list[str]:
    """The ad or the post somebody came from."""
    referral = message.get("referral") or {}
    context = referral.get("ads_context_data") or {}
    return [str(one) for one in (context.get("ad_title"), referral.get("source_url") or referral.get("ref")) if one]
