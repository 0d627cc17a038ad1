"""The MIME tree of a mail as offsets into its bytes. Pure; never raises; nothing is decoded before it is asked for.

Source: RFC 2045 (transfer encodings), RFC 2046 §5.1 (multiparts), RFC 7103 (missing boundaries, missing ends).
Units: at most 1,000 parts, 50 levels; what goes beyond stays in the original, and a warning says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.mail.headers import Field, first, header_text, parameters, split_block
from ingest.mail.transfer import decode_transfer
from ingest.steps import step

PARTS_MAX = 1_000
DEPTH_MAX = 50
_PART_STEPS = 20
# What ends a boundary is no blank, so the blanks behind it are read once and not once for each of its letters.
_BOUNDARY = rb"([^\s-](?:[^\r\n]{0,67}[^ \t\r\n])?)[ \t]*+\r?"
_DELIMITER = re.compile(rb"(?m)^--" + _BOUNDARY + rb"$")
_PART_BEGINS = re.compile(rb"(?m)^--" + _BOUNDARY + rb"\n(?=Content-[A-Za-z-]{2,30}:)")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


@dataclass(slots=True, kw_only=True)
class Node:
    """One part: its fields, its type, and where its body lies in the mail."""

    raw: bytes = field(repr=False)
    start: int
    end: int
    fields: list[Field]
    content_type: str
    parameters: dict[str, str]
    disposition: str
    name: str
    children: list[Node] = field(default_factory=list)

    @property
    def encoding(self) -> str:
        words = header_text(first(self.fields, "Content-Transfer-Encoding")).lower().split()
        return words[0].strip("\"';") if words else "7bit"

    def content(self) -> bytes:
        """The body without its transfer encoding; what cannot be decoded is skipped, never raised."""
        return decode_transfer(self.raw[self.start : self.end], self.encoding, is_text=self.content_type.startswith("text/"))


def read_tree(raw: bytes, warnings: list[str]) -> Node:
    """The root of the mail's tree. Repairs are appended to ``warnings``, each once."""
    return _Reader(raw, warnings).node(0, len(raw), depth=0, fallback="text/plain")


class _Reader:
    """Cuts one mail; counts parts over the whole tree."""

    def __init__(self, raw: bytes, warnings: list[str]) -> None:
        self.raw = raw
        self.warnings = warnings
        self.parts = 0

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def node(self, start: int, end: int, *, depth: int, fallback: str) -> Node:
        self.parts += 1
        step(_PART_STEPS)
        fields, body = split_block(self.raw, start, end)
        content_type, given = parameters(first(fields, "Content-Type"))
        if not _TYPE.fullmatch(content_type):
            if content_type:
                self.warn("a content type could not be read")
            content_type = "text/plain" if content_type == "text" else fallback
        disposition, disposed = parameters(first(fields, "Content-Disposition"))
        node = Node(
            raw=self.raw, start=body, end=end, fields=fields, content_type=content_type, parameters=given,
            disposition=disposition, name=disposed.get("filename") or given.get("name") or disposed.get("name") or "",
        )  # fmt: skip
        if content_type.startswith("multipart/"):
            self._cut(node, depth)
        return node

    def _cut(self, node: Node, depth: int) -> None:
        spans = self._spans(node)
        if not spans:
            self.warn("a multipart without parts was read as text")
            node.content_type = "text/plain"
            return
        if depth >= DEPTH_MAX:
            self.warn("parts nested too deep were left in the original")
            return
        fallback = "message/rfc822" if node.content_type == "multipart/digest" else "text/plain"
        for start, end in spans:
            if self.parts >= PARTS_MAX:
                self.warn("parts beyond the thousandth were left in the original")
                return
            node.children.append(self.node(start, end, depth=depth + 1, fallback=fallback))

    def _spans(self, node: Node) -> list[tuple[int, int]]:
        """Start and end of each part's bytes; an absent end delimiter means until the multipart's own end."""
        boundary = node.parameters.get("boundary", "").encode("utf-8", "replace").rstrip()
        spans = self._between(node, boundary) if boundary else []
        if spans:
            return spans
        # No boundary, or one that no line has: the first line that begins a part says which.
        sniffed = (_PART_BEGINS if boundary else _DELIMITER).search(self.raw, node.start, node.end)
        if not boundary or sniffed:
            self.warn("a multipart without boundary")
        return self._between(node, sniffed[1]) if sniffed else []

    def _between(self, node: Node, boundary: bytes) -> list[tuple[int, int]]:
        delimiter = re.compile(rb"(?m)^--" + re.escape(boundary) + rb"(--)?[ \t]*\r?$")
        spans: list[tuple[int, int]] = []
        opened = -1
        for match in delimiter.finditer(self.raw, node.start, node.end):
            if opened >= 0:
                spans.append((opened, self._without_line_end(opened, match.start())))
            opened = -1 if match[1] else min(match.end() + 1, node.end)
            if match[1] or len(spans) > PARTS_MAX:
                break
        else:
            if opened >= 0:
                self.warn("a multipart without end")
                spans.append((opened, node.end))
        return spans

    def _without_line_end(self, start: int, end: int) -> int:
        """The line break before a delimiter belongs to the delimiter."""
        if end > start and self.raw[end - 1 : end] == b"\n":
            end -= 1
        if end > start and self.raw[end - 1 : end] == b"\r":
            end -= 1
        return end
