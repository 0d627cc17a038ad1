"""Lines of text from HTML tokens, as a reader sees the page. Pure; linear.

Source: WHATWG HTML §15.3 (which elements are blocks, what collapses), with quotes and lists as plain-text mail writes them.
"""

from __future__ import annotations

import re

from ingest.mail.html_hidden import OpenStack, declarations, font_is_nothing, is_hidden, without_invisible
from ingest.mail.html_tokens import Token
from shared.text import clean_line

LINKS_MAX = 5_000
QUOTES_MAX = 20


def names(text: str) -> set[str]:
    """The element names in a text separated by blanks."""
    return set(text.split())


_BLOCKS = names(
    "address article aside center dd div dl dt fieldset figcaption figure footer form header hgroup li main menu nav ol"
    " section table tbody tfoot thead tr ul body html caption details summary"
)
_PARAGRAPHS = names("p h1 h2 h3 h4 h5 h6 blockquote pre")
_HIDDEN = names("script style head title template svg math object select datalist map")
_RAW_HIDDEN = names("script style title")
_SHOWN_RAW = names("xmp textarea plaintext")
_VOID = names("area base br col embed hr img input link meta param source track wbr")
# The next of its kind ends such an element by itself, so one inside a hidden element says nothing about that one's end.
_IMPLIED = names("p li dd dt option")
_BLANKS = re.compile(r"[ \t\n\r\f]+")
_FOLLOWED = re.compile(r"(?i)https?://|mailto:")


_NO_LINE = re.compile(r"(?:^|;)\s*border(?:-left)?(?:-style|-width)?\s*:\s*(?:none|0)(?![.\d])", re.IGNORECASE)
_LINE = re.compile(r"(?:^|;)\s*border-left(?:-style|-width)?\s*:\s*(?!\s|none|0(?![.\d]))", re.IGNORECASE)


def _only_indents(token: Token) -> bool:
    """Whether a blockquote says that it has no line beside it: an editor's "indent more". Programs that quote mark theirs, or say nothing."""
    style = token.attributes.get("style", "")[:2_000]
    marked = any(token.attributes.get(one) for one in ("cite", "class", "id", "type"))
    return not marked and bool(_NO_LINE.search(style)) and not _LINE.search(style)


class TextWriter:
    """Lines of text in the making: blanks collapse, blocks break lines, paragraphs leave one line empty.

    ``hides``: leave out what attributes and styles hide.
    """

    def __init__(self, *, hides: bool = True) -> None:
        self.hides = hides
        self.lines: list[str] = []
        self.line: list[str] = []
        self.quotes = 0
        self.indents: list[bool] = []  # the open blockquotes, and whether each one only indents
        self.preformatted = 0
        self.hidden = OpenStack()  # the hidden element and what is open in it
        self.sizes = OpenStack()  # elements under one that gives letters a size, and whether it is none
        self.opened: dict[str, int] = {}
        self.link: str | None = None
        self.label: list[str] = []
        self.links = 0
        self.raw_shown = False
        self.numbers: list[int] = []

    def open(self, token: Token) -> None:
        name = token.value
        self.raw_shown = name in _SHOWN_RAW
        if name == "body":
            self.hidden.clear()  # an unclosed head must not swallow the page
        if self.hidden and self._ends_hiding(name):
            self.hidden.clear()
        if self.hidden:
            if name not in _VOID and name not in _RAW_HIDDEN:
                self.hidden.push(name)
            return
        if name in _HIDDEN:
            if name not in _RAW_HIDDEN:  # the content of those comes as a raw token
                self.hidden.push(name)
            return
        if self._hides(token):
            return
        if name == "br":
            self.end_line()
        elif name == "hr":
            self.paragraph()
            self.write("---")
            self.end_line()
        elif name == "img":
            self.write(clean_line(token.attributes.get("alt", "")))
        elif name == "a":
            self.link, self.label = clean_line(token.attributes.get("href", "")), []
        elif name in ("td", "th"):
            self.write(" ")
        elif name in _PARAGRAPHS or name in _BLOCKS:
            self.block(name, indents=name == "blockquote" and _only_indents(token))

    def _ends_hiding(self, name: str) -> bool:
        """A paragraph ends where a block begins, an item or a cell where the next begins."""
        if self.hidden.is_only("p"):
            return name in _PARAGRAPHS or name in _BLOCKS
        return (name in _IMPLIED or name in ("td", "th", "tr")) and self.hidden.is_only(name)

    def _hides(self, token: Token) -> bool:
        """Whether the element that opens here is hidden; remembers what it says about the size of letters."""
        name = token.value
        style = declarations(token.attributes.get("style", ""), sized=bool(self.sizes))
        if name in _VOID:
            return self.hides and is_hidden(token.attributes, style)
        if self.hides and is_hidden(token.attributes, style):
            self.hidden.push(name)
            return True
        self.opened[name] = self.opened.get(name, 0) + 1
        speck = font_is_nothing(style)
        if speck or self.sizes:
            self.sizes.push(name, flag=self.sizes.flag if speck is None else speck)
        return False

    def block(self, name: str, *, indents: bool = False) -> None:
        if name in _PARAGRAPHS:
            self.paragraph()
        else:
            self.end_line(only_started=True)
        if name == "blockquote":
            self.indents.append(indents or self.quotes == QUOTES_MAX)
            self.quotes += not self.indents[-1]
        elif name == "pre":
            self.preformatted += 1
        elif name in ("ol", "ul", "menu"):
            self.numbers = [*self.numbers[-50:], 0 if name == "ol" else -1]
        elif name == "li":
            self.write(self.bullet())

    def bullet(self) -> str:
        if not self.numbers or self.numbers[-1] < 0:
            return "- "
        self.numbers[-1] += 1
        return f"{self.numbers[-1]}. "

    def close(self, name: str) -> None:
        if self.hidden:
            if self.hidden.pop(name) or name in _IMPLIED or not self.opened.get(name):
                return
            self.hidden.clear()  # what stands around it ends here, so does the hidden element that nobody closed
        self.opened[name] = max(0, self.opened.get(name, 0) - 1)
        self.sizes.pop(name)
        if name == "a" and self.link is not None:
            self.end_link()
        elif name == "blockquote":
            self.end_line(only_started=True)
            self.quotes -= bool(self.indents) and not self.indents.pop()
            self.paragraph()
        elif name == "pre":
            self.paragraph()
            self.preformatted = max(0, self.preformatted - 1)
        elif name in _PARAGRAPHS:
            self.paragraph()
        elif name in _BLOCKS:
            self.end_line(only_started=True)
            if name in ("ol", "ul", "menu") and self.numbers:
                self.numbers.pop()

    def text(self, text: str) -> None:
        if self.hidden or (self.hides and self.sizes.flag):
            return
        if self.preformatted:
            first, *others = text.split("\n")
            self.write(first)
            for other in others:
                self.end_line()
                self.write(other)
            return
        words = _BLANKS.sub(" ", text)
        if words == " " and (not self.line or self.line[-1].endswith(" ")):
            return
        self.write(words)

    def write(self, words: str) -> None:
        self.line.append(words)
        if self.link is not None:
            self.label.append(words)

    def raw(self, text: str) -> None:
        if self.raw_shown and not self.hidden:
            self.text(text)

    def end_link(self) -> None:
        target, shown = self.link or "", "".join(self.label).strip()
        self.link, self.label = None, []
        self.links += 1
        bare = target.removeprefix("mailto:").removeprefix("tel:")
        if self.links > LINKS_MAX or not shown or not _FOLLOWED.match(target):
            return
        if bare.rstrip("/").partition("://")[2] not in shown and bare not in shown and len(target) <= 500:
            self.line.append(f" ({bare})")

    def end_line(self, *, only_started: bool = False) -> None:
        line = without_invisible("".join(self.line))
        if not self.preformatted:
            line = re.sub(" {2,}", " ", line).strip(" \t")
            line = line if line.strip() else ""
        self.line = []
        if line or not only_started:
            prefix = "> " * self.quotes
            self.lines.append((prefix + line).rstrip() if not self.preformatted else prefix + line)

    def paragraph(self) -> None:
        self.end_line(only_started=True)
        blank = ("> " * self.quotes).rstrip()
        if self.lines and self.lines[-1].strip(" >"):
            self.lines.append(blank)
        elif self.lines:
            self.lines[-1] = blank

    def result(self) -> str:
        self.preformatted = 0
        self.end_line(only_started=True)
        out: list[str] = []
        for line in self.lines:
            if line.strip() or (out and out[-1].strip()) or (len(out) > 1 and out[-2].strip()):
                out.append(line)
        return "\n".join(out).strip("\n")
