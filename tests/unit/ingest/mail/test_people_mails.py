"""Nobody who writes is taken for a machine: some 3,000 mails of people, many of which sound like one."""

from __future__ import annotations

from ingest.mail.automatic import read_automatic
from ingest.mail.mime import read_mail
from ingest.mail.own_mailboxes import own_mailboxes
from tests.support.people_mails import OURS, people_mails


def test_no_person_is_taken_for_a_machine() -> None:
    flagged, count = [], 0
    for one in people_mails():
        count += 1
        mail = read_mail(one.content)
        assert mail.text, one.name
        found = read_automatic(mail.headers, mail.attachments, mail.text, own=own_mailboxes((OURS,)))
        if found is not None and not found.marked_only:
            flagged.append(f"{one.name}: {mail.subject}: {found}")
    assert flagged == []
    assert count >= 3000


def test_they_are_the_same_each_time() -> None:
    first, second = list(people_mails()), list(people_mails())
    assert first == second
    assert len({one.name for one in first}) == len(first)
