"""HTML of strangers: to plain text, and to HTML that may be shown. Pure; `clean_html` belongs in a killable worker.

Source: nh3's allow-list; WHATWG HTML §13.2.6 (the adoption agency is quadratic by design, which is why a structural guard stands
before the sanitizer and `html_worker` around it).
Units: characters; pages beyond 1 MB are cut for text and refused for HTML; for text also what stands behind `TAGS_MAX` tags.
"""

from __future__ import annotations

import re
from html import escape

import nh3

from ingest.mail.html_text import TextWriter, names
from ingest.mail.html_tokens import ATTRIBUTES_MAX, tokens
from shared.text import clean_text

PAGE_CHARS_MAX = 1_000_000
TAGS_MAX = 50_000
"""Read for the text of a mail, by what may begin one. Each takes forty microseconds at most; a long thread from Outlook has twenty thousand."""
DEPTH_MAX = 200
FORMATTING_MAX = 64

_VOID = names("area base br col embed hr img input link meta param source track wbr")
# Elements that the next of their kind closes by itself: their containers are counted instead.
_IMPLIED = names("p li td th tr dd dt option optgroup tbody thead tfoot colgroup html head body")
_FORMATTING = names("a b big code em font i nobr s small strike strong tt u")
_TAGS = names(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em"
    " figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s samp section"
    " small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
)
# Gone with all they contain; any other unknown element only loses its tags.
_REMOVED = names("script style title svg math iframe object template noscript textarea select")
_SCHEMES = names("http https mailto tel cid")
_ATTRIBUTES = {
    "*": {"dir", "lang", "title", "align", "valign", "width", "height", "bgcolor"},
    "a": {"href"},
    "img": {"src", "alt"},
    "font": {"color", "size", "face"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "ol": {"start", "type"},
    "time": {"datetime"},
}


def plain_text(html: str, *, tags_max: int = TAGS_MAX) -> str:
    """The text a reader sees: blocks on lines of their own, quotes behind ``> ``, link targets that the text hides in brackets.

    Scripts, styles, hidden templates and what attributes and styles hide are left out, unless nothing else is there; beyond 1 MB
    or ``tags_max`` tags the rest is left out. Never raises; linear.
    """
    page = _up_to_tag(html[:PAGE_CHARS_MAX], tags_max)
    return _text(page, hides=True) or _text(page, hides=False)


def tags_of(html: str) -> int:
    """How many tags the text of a page costs, at most."""
    return html.count("<", 0, PAGE_CHARS_MAX)


def _up_to_tag(page: str, tags: int) -> str:
    """The page up to where more than so many tags would begin."""
    if page.count("<") <= tags:
        return page
    at = -1
    for _ in range(tags + 1):
        at = page.find("<", at + 1)
    return page[:at]


def _text(page: str, *, hides: bool) -> str:
    writer = TextWriter(hides=hides)
    for token in tokens(page):
        if token.kind == "open":
            writer.open(token)
        elif token.kind == "close":
            writer.close(token.value)
        elif token.kind == "text":
            writer.text(token.value)
        else:
            writer.raw(token.value)
    return clean_text(writer.result())


def is_tame(html: str) -> bool:
    """Whether the sanitizer can be trusted with the page: bounded size, depth, open formatting elements and attributes."""
    if len(html) > PAGE_CHARS_MAX:
        return False
    opened: dict[str, int] = {}
    depth = formatting = 0
    for token in tokens(html):
        name = token.value
        if token.kind == "open":
            if token.attribute_count > ATTRIBUTES_MAX:
                return False
            if name in _VOID or name in _IMPLIED:
                continue
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            formatting += name in _FORMATTING
            if depth > DEPTH_MAX or formatting > FORMATTING_MAX:
                return False
        elif token.kind == "close" and opened.get(name):
            opened[name] -= 1
            depth -= 1
            formatting -= name in _FORMATTING
    return True


def clean_html(html: str) -> str:
    """HTML without anything that runs, loads or submits; the page as escaped text when its structure is a bomb.

    Images keep only ``cid:`` sources (the caller maps them to stored parts): a remote image tells its owner that, when and where
    the mail was read. Links keep http, https, mailto and tel and get ``rel="noopener noreferrer nofollow"``. No style, no form.
    """
    page = clean_text(html)
    if not is_tame(page):
        return text_as_html(plain_text(page))
    return nh3.clean(
        page,
        tags=_TAGS,
        clean_content_tags=_REMOVED,
        attributes=_ATTRIBUTES,
        attribute_filter=_filtered,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def _filtered(tag: str, attribute: str, value: str) -> str | None:
    is_inline_part = value.strip().lower().startswith("cid:")
    if attribute == "src":
        return value.strip() if is_inline_part else None
    if attribute == "href":
        # Relative addresses would point into the product itself.
        return value if re.match(r"(?i)\s*(?:https?://|mailto:|tel:)", value) else None
    return value


def text_as_html(text: str) -> str:
    """Text as HTML that shows it as it is."""
    return escape(text).replace("\n", "<br>\n")
