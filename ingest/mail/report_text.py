"""What a report says in words: whom the mail did not reach, why, and which mail it was. Pure; never raises; linear in its input.

Source: the plain texts of mail servers that write no fields (qmail's QSBMF, Exim, sendmail's transcript, Exchange, hosters' own);
RFC 5321 §4.2 and RFC 3463 for the codes in them.
Identity: a recipient is the address as the server wrote it. Our own address stands in such texts too and is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import islice

from ingest.mail.report_words import tells_of_failure
from ingest.steps import step

SCAN_CHARS_MAX = 100_000
RECIPIENTS_MAX = 100
_LINES_MAX = 500
_LINE_CHARS_MAX = 1_000

_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_BASIC = re.compile(r"(?<![\d.])([45]\d\d)[ :-]")
_ADDRESS = r"[^\s@<>()\[\]\",;:'|=]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
_ANY_ADDRESS = re.compile(rf"(?<![^\s<>()\[\]\",;:'|=])({_ADDRESS})")
_ALONE = re.compile(rf"[ \t>*\"'<(\[]{{0,20}}({_ADDRESS})[>\"')\]:.,;]{{0,4}}[ \t]{{0,20}}")
_LEADING = re.compile(
    r"[ \t>*-]{0,20}(?:\d{1,2}[.)] )?(?:(?:final|original)-recipient: ?rfc822 ?; ?"
    r"|(?:failed |intended |undeliverable )?(?:recipient|address|mailbox)(?: address)? ?: ?(?:\[smtp: ?)?|error-for: ?|to: ?|alıcı ?: ?"
    r"|(?:unknown user|invalid final delivery userid|addressed to|failed address) ?: ?|undeliverable {1,3}to |delivery failed \d{1,3} attempts: )?"
    rf"[\"'<\[(]{{0,3}}({_ADDRESS})(?=[>\"')\]:,; \t(]|\.{{3}})",
    re.IGNORECASE,
)
_RCPT = re.compile(rf"rcpt to: ?<({_ADDRESS})>", re.IGNORECASE)
_RETURNED = re.compile(
    r"^[ \t>]{0,8}(?:[-=_*#~.|]{2,80}.{0,120}(?:original|copy|returned|below|header|özgün|orijinal|nachricht|origine|mensaje|messaggio"
    r"|mensagem|附件|原|元の).{0,120}|(?:return-path|received): ?.{0,1000}"
    r"|.{0,40}(?:message headers follow|included is a copy|original message follows).{0,80})$",
    re.IGNORECASE | re.MULTILINE,
)
"""Where the mail that came back begins."""
_MESSAGE_ID = re.compile(r"^[ \t>]{0,20}(?:original-)?message-id: ?\s{0,3}<([^<>\r\n]{1,900})>", re.IGNORECASE | re.MULTILINE)
_GREETING = re.compile(
    r"[ \t]{0,20}(?:hi|hello|dear|merhaba|sayın|hallo|bonjour|hola|ciao|здравствуйте|guten tag|您好|尊敬的)\b.{0,60}", re.IGNORECASE
)
_CAUSE = re.compile(
    r"[ \t]{0,20}(?:(?:delay )?reason|cause|error|neden|sebep|grund|raison|motivo|because|remote server replied|the error was|причина|原因"
    r"|diagnostic-code)\b[^:]{0,40}:[ \t]{0,20}(?=\S)",
    re.IGNORECASE,
)
_BECAUSE = re.compile(r"[ \t]{0,20}(?:because|reason|nedeni?|error|grund)[^:\n]{0,60}:[ \t]{0,20}", re.IGNORECASE)
_INTRODUCED = re.compile(r"\A[>\"')\]]{0,3}[ \t]{0,20}(?:\.{3}|[:;,-])[ \t]{0,20}")
_FIELD = re.compile(
    r"[ \t>]{0,20}(?:subject|to|from|cc|sent|date|received|reply-to|mime-version|content-[\w-]{1,40}|x-[\w-]{1,60}|message-id|action|status"
    r"|reporting-mta|arrival-date|(?:final|original)-recipient|konu|kime|kimden|gönderen|gönderme|tarih|betreff|an|von|gesendet|objet|à|de|envoyé"
    r"|asunto|para|enviado|oggetto|a|da|inviato|assunto)[ \t]{0,10}:",
    re.IGNORECASE,
)
"""Fields of the mail that came back, or of the report, among the words: no reason."""
_WHEN = re.compile(r"\A(?:on )?[a-z]{2,3}, \d", re.IGNORECASE)
_BELOW = re.compile(
    r"(?:following|these|aşağıdaki|şu|folgende\w*|suivants?|siguientes?|seguenti|seguintes|volgende|następując\w*) .{0,40}"
    r"(?:recipient|address|group|alıcı|adres|empfänger|destinat|geadresseerde|odbiorc)|did not reach",
    re.IGNORECASE,
)
"""Recipients stand below this line, not above it."""
_DIAGNOSTIC = re.compile(r"\A(?:diagnostic-code ?: ?(?:[\w-]{1,30} ?; ?)?|reason ?: ?|error ?: ?)", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportText:
    """``status`` the first enhanced code, or the class of the first basic one (``5.0.0``); empty strings where the text says nothing."""

    recipients: tuple[str, ...]
    status: str
    reason: str
    message_id: str | None


def read_report_text(text: str, *, own: Sequence[str] = ()) -> ReportText:
    """What the text of a report says. ``own`` are addresses that did not fail: who reports, and to whom."""
    scanned = text[:SCAN_CHARS_MAX]
    cut = _RETURNED.search(scanned)
    words = scanned[: cut.start()] if cut and scanned[: cut.start()].strip() else scanned
    others = {address.lower() for address in own}
    recipients = tuple(dict.fromkeys(_recipients(words, others)))[:RECIPIENTS_MAX]
    cited = _MESSAGE_ID.search(scanned)
    return ReportText(
        recipients=recipients,
        status=status_of(words),
        reason=_reason(words, recipients),
        message_id="".join(cited[1].split()) if cited else None,
    )


def status_of(text: str) -> str:
    """The enhanced code in a text; from a basic code only its class is known."""
    match = _ENHANCED.search(text)
    if match:
        return match[0]
    basic = _BASIC.search(text)
    return f"{basic[1][0]}.0.0" if basic else ""


def addresses_of(text: str) -> list[str]:
    """Every address of a text, in order."""
    return [match[1].rstrip(".") for match in islice(_ANY_ADDRESS.finditer(text[:SCAN_CHARS_MAX]), RECIPIENTS_MAX)]


def _lines(text: str) -> list[str]:
    lines = [line[:_LINE_CHARS_MAX] for line in text.splitlines()[:_LINES_MAX]]
    step(3 * len(lines))
    return lines


def _recipients(words: str, others: Set[str]) -> list[str]:
    """Addresses alone on their lines or at the beginning of one, else those that were tried, else the first of all."""
    lines = _lines(words)
    start = next((index for index, line in enumerate(lines) if _BELOW.search(line)), 0)
    for looked_at in (lines[start:], lines):
        alone = [match[1] for line in looked_at if (match := _ALONE.fullmatch(line))]
        leading = [match[1] for line in looked_at if (match := _LEADING.match(line))]
        tried = [match[1] for line in looked_at for match in _RCPT.finditer(line)]
        for named, most in ((alone + leading, RECIPIENTS_MAX), (tried, RECIPIENTS_MAX), (addresses_of("\n".join(looked_at)), 1)):
            found = [address for address in named if address.lower() not in others][:most]
            if found:
                return found
    return []


def _reason(words: str, recipients: Sequence[str]) -> str:
    """Why, in the server's words: the line with a code, else what stands behind a cause or the recipient, else the failing sentence."""
    lines = [line.strip() for line in _lines(words)]
    plain = [line for line in lines if _LETTERS.search(line) and not _FIELD.match(line)]
    coded = next((line for line in plain if _has_code(line)), "")
    if coded:
        return _DIAGNOSTIC.sub("", coded)
    found = _cause(lines) or _beside_recipient(lines, recipients)
    if found:
        return found
    told = [line for line in plain if not _GREETING.fullmatch(line)]
    return next((line for line in told if tells_of_failure(line, chars=400, hints=True)), told[0] if told else "")


def _cause(lines: Sequence[str]) -> str:
    for index, line in enumerate(lines):
        cause = _CAUSE.match(line)
        if cause and _LETTERS.search(line, cause.end()):
            return line[cause.end() :].strip()
        if _BECAUSE.fullmatch(line):
            return next((one for one in lines[index + 1 : index + 4] if _LETTERS.search(one)), "")
    return ""


def _beside_recipient(lines: Sequence[str], recipients: Sequence[str]) -> str:
    for index, line in enumerate(lines):
        named = next((one for one in recipients if one in line), "")
        if not named or _FIELD.match(line):
            continue
        rest = _INTRODUCED.sub("", line.partition(named)[2]).strip(' <>()"')
        if _LETTERS.search(rest) and not rest.endswith(":") and not _WHEN.match(rest) and "@" not in rest:
            return rest
        below = next((one for one in lines[index + 1 : index + 3] if _LETTERS.search(one)), "")
        if below and not _FIELD.match(below) and not addresses_of(below):
            return below
    return ""


def _has_code(line: str) -> bool:
    return _ENHANCED.search(line) is not None or _BASIC.search(line) is not None
