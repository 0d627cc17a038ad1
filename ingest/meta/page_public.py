"""What is said where all can read it: comments, visitors' posts, mentions and recommendations of a Page, comments of an Instagram account.

Source: Graph API, "Webhooks reference: Page" (feed, mention, ratings) and "Instagram" (comments, live_comments).
**Identity**: a comment, post or review by its id; what was done with it later by its id, the deed and the notice's time, because
``created_time`` stays that of the first words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingest.adapter import Draft, Inbox
from ingest.meta.events import OURS, given, moment, nobody_known, public_person, told
from shared.message import Sender
from shared.text import clean_text

_VERBS: Final = {"add": "comment", "edited": "edit", "remove": "delete"}
_POSTS: Final = {"post": (), "status": (), "photo": ("photo",), "video": ("video",), "share": ("post",)}
"""What a visitor may leave on the Page itself, and what it is made of beside words."""
_SILENT: Final = frozenset({"reaction", "like"})


def feed(inbox: Inbox, value: Mapping[str, Any], time: Any) -> Draft | None:
    """A comment or a visitor's post; None for likes and for the Page's own posts, in which nobody says anything to us.

    ``time`` is the entry's: when this happened. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else: what is not
    understood is kept.
    """
    item = str(value["item"])
    if item in _SILENT:
        return None
    writer = value.get("from") or {}
    author, name = told(writer, "id"), told(writer, "name")
    post = given(value, "post_id")
    if item == "comment":
        contents = tuple(content for content in ("photo", "video") if value.get(content))
        parent = told(value, "parent_id") or post
        said = given(value, "comment_id")
        return _said(inbox, value, time, said=said, post=post, parent=parent, author=author, name=name, contents=contents)
    if not author:
        raise ValueError(f"a {item} without its author")
    if author == inbox.address:
        return None
    return _said(inbox, value, time, said=post, post=post, author=author, name=name, contents=_POSTS[item])


def mention(inbox: Inbox, value: Mapping[str, Any], time: Any) -> Draft:
    """A post or comment elsewhere that names the Page."""
    post = given(value, "post_id")
    said = told(value, "comment_id") or post
    author, name = given(value, "sender_id"), told(value, "sender_name")
    return _said(inbox, value, time, said=said, post=post, parent=post if said != post else "", author=author, name=name)


def rating(inbox: Inbox, value: Mapping[str, Any], time: Any) -> Draft | None:
    """A recommendation of the Page, as a review; None for likes of one."""
    if value["item"] in _SILENT:
        return None
    if value["item"] != "rating":
        raise ValueError(f"a {value['item']} on a recommendation")
    said = given(value, "open_graph_story_id")
    words = {**value, "message": value.get("review_text")}
    author, name = given(value, "reviewer_id"), told(value, "reviewer_name")
    recommended = {"recommendation": told(value, "recommendation_type")}
    return _said(inbox, words, time, said=said, post=said, author=author, name=name, first="review", traits=recommended)


def instagram_comment(inbox: Inbox, value: Mapping[str, Any], time: Any) -> Draft:
    """A comment under an Instagram post or a broadcast; ``time`` is the entry's."""
    writer = value.get("from") or {}
    person = told(writer, "id") or told(writer, "username")
    media = given(value["media"], "id")
    words = {"verb": "add", "message": value.get("text"), "created_time": time}
    return _said(
        inbox, words, time, said=given(value, "id"), post=media, parent=told(value, "parent_id") or media, author=person,
        name=told(writer, "username"), is_own=bool(person) and person == told(writer, "self_ig_scoped_id"),
    )  # fmt: skip


def _said(
    inbox: Inbox, value: Mapping[str, Any], time: Any, *, said: str, post: str, author: str, name: str, parent: str = "",
    contents: tuple[str, ...] = (), first: str = "comment", is_own: bool = False, traits: Mapping[str, str] | None = None,
) -> Draft:  # fmt: skip
    verb = _VERBS.get(str(value.get("verb")), "system")
    kind = first if verb == "comment" else verb
    at = moment(value["created_time"] if kind == first or time is None else time)
    text = clean_text(told(value, "message"))
    is_own = is_own or author == inbox.address
    amends = kind in ("edit", "delete")
    parent = parent or post
    values: dict[str, Any] = {
        "kind": kind,
        "visibility": "public",
        "sender": None if is_own else _writer(inbox, said, author, name),
        "text": text,
        "sent_at": at,
        "refs": tuple(f"ext:{inbox.id}:{ref}" for ref in ([said] if amends else [parent]) if amends or ref != said),
        "defines": (f"ext:{inbox.id}:{said}",) if kind == first else (),
        "authenticated": bool(author),
        "traits": {"post": post, "parent": parent, "comment_id": said, **(traits or {})},
    }
    if amends:
        values["in_reply_to"] = said
    if contents or (not text and kind in (first, "edit")):
        values["contents"] = contents or ("unsupported",)
    if is_own:
        values |= OURS
    external_id = said if kind == first else f"{said}:{kind}:{int(at.timestamp())}"
    return Draft(inbox=inbox, external_id=external_id, values=values)


def _writer(inbox: Inbox, said: str, author: str, name: str) -> Sender:
    return public_person(inbox, author, name) if author else nobody_known(inbox, said)
