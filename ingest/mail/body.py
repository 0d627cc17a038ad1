"""Which parts of a mail's tree are its text, its HTML and its attachments. Pure; never raises.

Source: RFC 2046 §5.1.4 (alternative), RFC 2387 (related), RFC 1847 (signed, encrypted), RFC 3156 and RFC 8551 (PGP, S/MIME),
RFC 6047 (calendar), RFC 2183 (disposition).
Rules: of alternatives one text and one HTML count; texts that follow one another in a mixed mail are joined; of a signed mail
the signed part is read and the signature stays as attachment; what a signed envelope holds is read in its place, unverified; what
Outlook encloses in one part (``winmail.dat``) is read where the mail says nothing itself, and its files stand beside the others; a
forwarded message stays whole, as attachment ``*.eml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html import escape

from ingest.mail.charsets import decode_text
from ingest.mail.cms import AUTH_ENVELOPED_DATA, ENVELOPED_DATA, content_kind, signed_content
from ingest.mail.file_names import file_name
from ingest.mail.flowed import join_flowed, without_cleartext_signature
from ingest.mail.headers import first, header_text, message_ids
from ingest.mail.html import PAGE_CHARS_MAX, TAGS_MAX, plain_text, tags_of
from ingest.mail.parts import Node, read_tree
from ingest.mail.tnef import read_tnef
from shared.text import clean_line, clean_text

ENVELOPES_MAX = 5
"""How many signed envelopes, one in another, are opened."""

_SAID_CHARS_MAX = 100_000
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_ID_CHARS_MAX = 500
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,99}/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}")
_CALENDAR = re.compile(r"(?m)^(METHOD|UID)(?:;[^:\n]{0,200})?:([^\r\n]{0,500}(?:\r?\n[ \t][^\r\n]{0,200}){0,8})")
_CID = re.compile(r"cid:([^\s\"'<>)]{1,500})", re.IGNORECASE)
_ENRICHED = re.compile(r"<[^<>]{1,40}>")
_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
# Text in name only: programs read these, so they are files. Any other text is read as text (RFC 2046 §4.1.4).
_FILES = {
    "text/calendar", "text/csv", "text/vcard", "text/x-vcard", "text/directory", "text/xml", "text/css", "text/javascript", "text/rtf",
    "text/rfc822-headers", "text/tab-separated-values", "text/x-vcalendar", "text/x-diff", "text/x-patch",
}  # fmt: skip
_WRITTEN = {"text/plain", "text/html", "text/enriched", "text/richtext"}
_ALTERNATE_ONLY = {"text/x-amp-html", "text/watch-html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPart:
    """A file that came with a mail. ``name`` is a file name without path, never empty. ``inline``: shown inside the HTML.

    ``calendar_method`` and ``calendar_uid`` are of an invitation (REQUEST, CANCEL, REPLY …), else None.
    """

    name: str
    content_type: str
    content: bytes = field(repr=False)
    content_id: str | None = None
    inline: bool = False
    calendar_method: str | None = None
    calendar_uid: str | None = None


@dataclass(slots=True)
class Body:
    """What was collected so far. A segment is a text, a page, or one text and one page that say the same."""

    segments: list[tuple[str, str]] = field(default_factory=list)
    attachments: list[MailPart] = field(default_factory=list)
    encrypted: bool = False
    hint: str | None = None
    envelopes: int = 0
    enclosed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole text; a page without a text of its own is turned into text where it stands, as far as the mail's tags and letters reach."""
        texts: list[str] = []
        said = ""
        tags, letters = TAGS_MAX, 4 * PAGE_CHARS_MAX
        for text, page in self.segments:
            words = text
            if not text.strip():
                cut = page[:letters]
                words = plain_text(cut, tags_max=tags)
                tags, letters = max(0, tags - tags_of(cut)), letters - len(cut)
            squeezed = _squeezed(words)
            # Programs that say "mixed" where they mean "alternative" send the same words twice.
            if squeezed and (text.strip() or squeezed[:200] not in said):
                texts.append(words)
                said += squeezed[: _SAID_CHARS_MAX - len(said)]
        return "\n\n".join([*(one.rstrip() for one in texts[:-1]), *texts[-1:]])

    @property
    def html(self) -> str:
        """The whole page: pages joined, texts between them escaped. Empty when the mail has no HTML at all."""
        if not any(page.strip() for _, page in self.segments):
            return ""
        return "\n".join(page if page.strip() else f"<pre>{escape(text)}</pre>" for text, page in self.segments)


def _squeezed(words: str) -> str:
    return "".join(words.split())


def collect(root: Node, warnings: list[str], *, hint: str | None = None) -> Body:
    """Text, HTML and attachments of the tree, in the order of the mail. ``hint``: the charset its labels or language speak for."""
    body = Body(hint=hint)
    _walk(root, body, warnings, related=False)
    if not any(text.strip() or page.strip() for text, page in body.segments):
        body.segments = body.enclosed
    cited = {match[1] for _, page in body.segments for match in _CID.finditer(page)}
    if cited:
        body.attachments = [
            part if part.inline or part.content_id not in cited else replace(part, inline=True) for part in body.attachments
        ]
    return body


def _walk(node: Node, body: Body, warnings: list[str], *, related: bool) -> None:
    kind = node.content_type
    if not kind.startswith("multipart/"):
        _leaf(node, body, warnings, related=related)
    elif kind == "multipart/alternative":
        _alternative(node, body, warnings)
    elif kind == "multipart/encrypted":
        body.encrypted = True
        _note(warnings, "encrypted")
        for child in node.children:
            _attach(child, body, inline=False)
    else:
        for index, child in enumerate(node.children):
            signature = kind == "multipart/signed" and index > 0
            if signature and not child.content_type.startswith("multipart/"):
                _attach(child, body, inline=False)
            else:
                _walk(child, body, warnings, related=related or kind == "multipart/related")


def _alternative(node: Node, body: Body, warnings: list[str]) -> None:
    """One text and one HTML of the children; each child is read on its own, so nested mixed parts keep their order."""
    texts: list[str] = []
    spare: list[str] = []
    pages: list[str] = []
    said = ""
    for child in node.children:
        if child.content_type in _ALTERNATE_ONLY:
            continue
        inner = Body(hint=body.hint, envelopes=body.envelopes)
        _walk(child, inner, warnings, related=False)
        body.attachments.extend(inner.attachments)
        body.encrypted = body.encrypted or inner.encrypted
        body.enclosed.extend(inner.enclosed)
        text = "\n\n".join(text for text, _ in inner.segments if text.strip())
        pages.append("\n".join(page for _, page in inner.segments if page.strip()))
        if child.content_type != "text/plain":
            spare.append(text)
        # Two plain texts with other words: mixed was meant, or two languages. Either is read.
        elif (squeezed := _squeezed(text)) and squeezed[:200] not in said:
            texts.append(text.rstrip())
            said += squeezed[: _SAID_CHARS_MAX - len(said)]
    text = "\n\n".join(texts) or next((one for one in spare if one.strip()), "")
    page = next((one for one in reversed(pages) if one.strip()), "")
    if text or page:
        body.segments.append((text, page))


def _leaf(node: Node, body: Body, warnings: list[str], *, related: bool) -> None:
    kind = node.content_type
    if (kind in _SMIME or node.name.lower().endswith(".p7m")) and _opened(node, body, warnings):
        return
    if _may_enclose(node) and _unfolded(node, body):
        return
    readable = kind in _WRITTEN or (kind.startswith("text/") and kind not in _FILES and not node.name)
    if not readable or node.disposition == "attachment" or (node.name and body.segments):
        inline = node.disposition == "inline" and kind.startswith("image/")
        _attach(node, body, inline=inline or (related and node.disposition != "attachment"))
        return
    content = node.content()
    label = node.parameters.get("charset")
    if kind == "text/html" and not label and (declared := _META_CHARSET.search(content[:4_096])):
        label = declared[1].decode("ascii")
    text, guessed = decode_text(content, label, hint=body.hint)
    if guessed:
        _note(warnings, "a charset was guessed")
    # RFC 7103 §7.6: a few null octets mean nothing.
    text = clean_text(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", ""))
    if text.strip():
        body.segments.append(("", text) if kind == "text/html" else (_written(text, node), ""))


def _written(text: str, node: Node) -> str:
    """A text as its writer saw it."""
    if node.content_type in {"text/enriched", "text/richtext"}:
        return _ENRICHED.sub("", text)
    if node.parameters.get("format", "").strip().lower() == "flowed":
        text = join_flowed(text, delete_space=node.parameters.get("delsp", "").strip().lower() == "yes")
    return without_cleartext_signature(text)


def _opened(node: Node, body: Body, warnings: list[str]) -> bool:
    """Read what a signed envelope holds as a part of the mail; False when the part stays a file, as what is encrypted does.

    A signed document (``rechnung.pdf.p7m``) holds no part with a header of its own, and stays a file.
    """
    content = node.content()
    inner = signed_content(content) if body.envelopes < ENVELOPES_MAX else None
    if inner is not None:
        tree = read_tree(inner, warnings)
        if first(tree.fields, "Content-Type"):
            body.envelopes += 1
            _walk(tree, body, warnings, related=False)
            body.envelopes -= 1
            return True
    if node.content_type in _SMIME and _is_enveloped(node, content):
        body.encrypted = True
        _note(warnings, "encrypted")
    return False


def _may_enclose(node: Node) -> bool:
    """Whether a part is Outlook's, by its type or by its name as it stands; `ingest/parse.py` looks for the same words."""
    return "tnef" in node.content_type or (
        node.name.lower() == "winmail.dat" and any(b"winmail" in one.value.lower() for one in node.fields)
    )


def _unfolded(node: Node, body: Body) -> bool:
    """Read what Outlook encloses; False when the part is no such or holds nothing, and stays a file. The whole of it is in the original."""
    found = read_tnef(node.content())
    if found is None:
        return False
    text, page = clean_text(found.text), clean_text(found.html)
    if not (found.files or text.strip() or page.strip()):
        return False
    if text.strip() or page.strip():
        body.enclosed.append((text, page))
    for one in found.files:
        kind = one.content_type if _TYPE.fullmatch(one.content_type) else "application/octet-stream"
        body.attachments.append(
            MailPart(
                name=file_name(one.name, [], kind, one.content, len(body.attachments) + 1), content_type=kind, content=one.content,
                content_id=clean_line(one.content_id)[:_ID_CHARS_MAX] or None,
            )
        )  # fmt: skip
    return True


def _is_enveloped(node: Node, content: bytes) -> bool:
    kind = node.parameters.get("smime-type", "").lower()
    if kind in {"enveloped-data", "authenveloped-data"}:
        return True
    found = content_kind(content)
    return found in (ENVELOPED_DATA, AUTH_ENVELOPED_DATA) or (found is None and not kind and not node.name.lower().endswith(".p7s"))


def _attach(node: Node, body: Body, *, inline: bool) -> None:
    content = node.content()
    kind = node.content_type if "/" in node.content_type else "application/octet-stream"
    method = uid = None
    if kind == "text/calendar":
        found: dict[str, str] = {}
        for match in _CALENDAR.finditer(decode_text(content)[0]):
            found.setdefault(match[1], clean_line(re.sub(r"\r?\n[ \t]", "", match[2])))
        method = node.parameters.get("method", found.get("METHOD", "")).upper() or None
        uid = found.get("UID") or None
    ids = message_ids(header_text(first(node.fields, "Content-ID"))) or (header_text(first(node.fields, "Content-ID")),)
    body.attachments.append(
        MailPart(
            name=file_name(node.name, node.fields, kind, content, len(body.attachments) + 1), content_type=kind, content=content,
            content_id=ids[0] or None, inline=inline, calendar_method=method, calendar_uid=uid,
        )
    )  # fmt: skip


def _note(warnings: list[str], text: str) -> None:
    if text not in warnings:
        warnings.append(text)
