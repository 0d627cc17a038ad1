"""A second opinion on replies: mail-parser-reply (MIT) over our corpus. Where the two differ, ours is what the corpus says is right."""

from __future__ import annotations

from mailparser_reply import EmailReplyParser

from ingest.mail.mime import read_mail
from tests.support.corpus import CORPUS
from tests.support.corpus_mail import agrees
from tests.support.judged import entries

LANGUAGES = ["cs", "da", "de", "en", "es", "fi", "fr", "he", "it", "ja", "ko", "nl", "no", "pl", "sv", "tr", "zh"]
THEY_ALONE_MAX = 0
"""Mails that they read rightly and we do not: a new one is looked at, and our reader mended."""
BOTH_MIN = 25
"""Fewer than this that both read rightly would say that the comparison itself is broken."""


def test_where_both_differ_ours_is_right() -> None:
    parser = EmailReplyParser(languages=LANGUAGES)
    opinions: dict[tuple[bool, bool], list[str]] = {(ours, theirs): [] for ours in (True, False) for theirs in (True, False)}
    folder = CORPUS / "mail" / "replies"
    for entry in entries(folder):
        if "reply" not in entry:
            continue
        mail = read_mail((folder / entry["file"]).read_bytes())
        theirs = parser.parse_reply(mail.text) or ""
        opinions[agrees("reply", entry["reply"], mail.text_stripped), agrees("reply", entry["reply"], theirs)].append(entry["file"])
    both, ours, theirs, nobody = (opinions[key] for key in ((True, True), (True, False), (False, True), (False, False)))
    print(f"both {len(both)}, ours alone {len(ours)}, theirs alone {len(theirs)}, nobody {len(nobody)}")
    for name, files in (("ours alone", ours), ("theirs alone", theirs), ("nobody", nobody)):
        print(f"{name}: {', '.join(files)}")
    assert len(theirs) <= THEY_ALONE_MAX, theirs
    assert len(both) >= BOTH_MIN
