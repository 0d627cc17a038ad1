"""Which parts of a mail's tree are its text, its HTML and its attachments. Pure; never raises.

Source: RFC 2046 §5.1.4 (alternative), RFC 2387 (related), RFC 1847 (signed, encrypted), RFC 3156 and RFC 8551 (PGP, S/MIME),
RFC 6047 (calendar), RFC 2183 (disposition).
Rules: of alternatives one text and one HTML count; texts that follow one another in a mixed mail are joined; of a signed mail
the signed part is read and the signature stays as attachment; a forwarded message stays whole, as attachment ``*.eml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html import escape

from ingest.mail.charsets import decode_text
from ingest.mail.headers import first, header_text, message_ids, split_block
from ingest.mail.html import plain_text
from ingest.mail.parts import Node
from shared.text import clean_line, clean_text

NAME_CHARS_MAX = 200
_EXTENSIONS = {
    "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics", "text/csv": ".csv", "text/vcard": ".vcf", "image/png": ".png",
    "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg", "application/pdf": ".pdf",
    "application/zip": ".zip", "application/ms-tnef": ".dat", "message/rfc822": ".eml", "audio/mpeg": ".mp3", "video/mp4": ".mp4",
    "application/pgp-signature": ".asc", "application/pkcs7-signature": ".p7s", "application/pkcs7-mime": ".p7m",
    "application/xml": ".xml", "text/xml": ".xml", "application/json": ".json",
}  # fmt: skip
# Letters that turn a name around ("exe.fdp" shown as "pdf.exe") have no business in a file name.
_DECEPTIVE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_CALENDAR = re.compile(r"(?m)^(METHOD|UID)(?:;[^:\n]{0,200})?:([^\r\n]{0,500}(?:\r?\n[ \t][^\r\n]{0,200}){0,8})")
_CID = re.compile(r"cid:([^\s\"'<>)]{1,500})", re.IGNORECASE)
_ENRICHED = re.compile(r"<[^<>]{1,40}>")
_SMIME = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
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

    @property
    def text(self) -> str:
        """The whole text; a page without a text of its own is turned into text where it stands."""
        texts: list[str] = []
        for text, page in self.segments:
            words = text if text.strip() else plain_text(page)
            # Programs that say "mixed" where they mean "alternative" send the same words twice.
            if words.strip() and not (not text.strip() and _said_already(words, texts)):
                texts.append(words)
        return "\n\n".join([*(one.rstrip() for one in texts[:-1]), *texts[-1:]])

    @property
    def html(self) -> str:
        """The whole page: pages joined, texts between them escaped. Empty when the mail has no HTML at all."""
        if not any(page.strip() for _, page in self.segments):
            return ""
        return "\n".join(page if page.strip() else f"<pre>{escape(text)}</pre>" for text, page in self.segments)


def _said_already(words: str, texts: list[str]) -> bool:
    key = "".join(words.split())[:200]
    return any(key in "".join(one.split()) for one in texts)


def collect(root: Node, warnings: list[str]) -> Body:
    """Text, HTML and attachments of the tree, in the order of the mail."""
    body = Body()
    _walk(root, body, warnings, related=False)
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
    pages: list[str] = []
    for child in node.children:
        if child.content_type in _ALTERNATE_ONLY:
            continue
        inner = Body()
        _walk(child, inner, warnings, related=False)
        body.attachments.extend(inner.attachments)
        body.encrypted = body.encrypted or inner.encrypted
        texts.append("\n\n".join(text for text, _ in inner.segments if text.strip()))
        pages.append("\n".join(page for _, page in inner.segments if page.strip()))
    text = next((one for one in texts if one.strip()), "")
    page = next((one for one in reversed(pages) if one.strip()), "")
    if text or page:
        body.segments.append((text, page))


def _leaf(node: Node, body: Body, warnings: list[str], *, related: bool) -> None:
    kind = node.content_type
    if kind in _SMIME and _is_enveloped(node):
        body.encrypted = True
        _note(warnings, "encrypted")
    readable = kind in {"text/plain", "text/html", "text/enriched", "text/richtext"}
    file_like = node.disposition == "attachment" or (node.name and body.segments)
    if not readable or file_like:
        inline = node.disposition == "inline" and kind.startswith("image/")
        _attach(node, body, inline=inline or (related and node.disposition != "attachment"))
        return
    content = node.content()
    label = node.parameters.get("charset")
    if kind == "text/html" and not label and (declared := _META_CHARSET.search(content[:4_096])):
        label = declared[1].decode("ascii")
    text, guessed = decode_text(content, label)
    if guessed:
        _note(warnings, "a charset was guessed")
    text = clean_text(text.replace("\r\n", "\n").replace("\r", "\n"))
    if text.strip():
        enriched = kind in {"text/enriched", "text/richtext"}
        body.segments.append(("", text) if kind == "text/html" else (_ENRICHED.sub("", text) if enriched else text, ""))


def _is_enveloped(node: Node) -> bool:
    kind = node.parameters.get("smime-type", "").lower()
    return kind in {"enveloped-data", "authenveloped-data"} or (not kind and not node.name.lower().endswith(".p7s"))


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
            name=_file_name(node, kind, content, len(body.attachments) + 1), content_type=kind, content=content,
            content_id=ids[0] or None, inline=inline, calendar_method=method, calendar_uid=uid,
        )
    )  # fmt: skip


def _file_name(node: Node, kind: str, content: bytes, number: int) -> str:
    name = _DECEPTIVE.sub("", clean_line(node.name)).replace("\\", "/").rpartition("/")[2].strip(" .\"'")
    if not name and kind == "message/rfc822":
        fields, _ = split_block(content, 0, len(content))
        subject = _DECEPTIVE.sub("", header_text(first(fields, "Subject"))).replace("/", "-").replace("\\", "-").strip(" .")
        name = f"{subject[:NAME_CHARS_MAX]}.eml" if subject else ""
    if not name:
        name = f"attachment-{number}{_EXTENSIONS.get(kind, '.txt' if kind.startswith(('text/', 'message/')) else '.bin')}"
    stem, dot, extension = name.rpartition(".")
    if len(name) <= NAME_CHARS_MAX:
        return name
    return f"{stem[: NAME_CHARS_MAX - 20]}.{extension[:19]}" if dot else name[:NAME_CHARS_MAX]


def _note(warnings: list[str], text: str) -> None:
    if text not in warnings:
        warnings.append(text)
