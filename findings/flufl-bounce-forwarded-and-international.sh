#!/usr/bin/env bash
# flufl.bounce 6.0.0 (Python) finds the failed recipients of delivery reports; list managers act on what it returns.
#
# One would guess:
#   * only the report itself counts. A person's mail with a report attached to it (RFC 2046 section 5.2.1, message/rfc822: "look what
#     came back to me") is that person's mail, and nobody failed by it;
#   * a report about an address with letters beyond ASCII (RFC 6533, message/global-delivery-status, since 2012) is a report like any
#     other, also in its form of seven bits.
#
# Seen: the forwarded report is a permanent failure of whoever the attached report names; the international report, in either form, is
# no failure of anybody. Who acts on it drops a healthy address because somebody asked about it, and goes on writing to a dead one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "flufl.bounce==6.0.0"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
import email

from flufl.bounce import all_failures

REPORT = """From: mailer-daemon@mx.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type={report_type}; boundary=b
MIME-Version: 1.0

--b
Content-Type: text/plain

Your mail did not arrive.
--b
Content-Type: message/{part}

Reporting-MTA: dns; mx.example

Final-Recipient: {recipient}
Action: failed
Status: 5.1.1

--b--
"""
plain = REPORT.format(report_type="delivery-status", part="delivery-status", recipient="rfc822; nobody@shop.example")
forwarded = (
    "From: Ada <ada@person.example>\nSubject: Fwd: what is this?\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n"
    f"--o\nContent-Type: text/plain\n\nThis came back to me. Is the shop closed?\n--o\nContent-Type: message/rfc822\n\n{plain}\n--o--\n"
)
MAILS = {
    "report": plain,
    "person with a report attached": forwarded,
    "international report": REPORT.format(
        report_type="delivery-status", part="global-delivery-status", recipient="utf-8; \u015fule@shop.example"
    ),
    "international report in seven bits": REPORT.format(
        report_type="delivery-status", part="global-delivery-status", recipient=r"utf-8; \x{15F}ule@shop.example"
    ),
}
for name, mail in MAILS.items():
    delayed, failed = all_failures(email.message_from_bytes(mail.encode()))
    print(f"{name}: delayed {len(delayed)}, failed {', '.join(sorted(one.decode() for one in failed)) or 'nobody'}")
PYTHON

cat >"$work/expected" <<'TEXT'
report: delayed 0, failed nobody@shop.example
person with a report attached: delayed 0, failed nobody@shop.example
international report: delayed 0, failed nobody
international report in seven bits: delayed 0, failed nobody
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
