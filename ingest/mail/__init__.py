"""Mail: from the bytes of RFC 5322 to a `Mail`, and from an answer back to bytes.

Lives here: MIME structure, charsets, headers and addresses (`mime`), the new part of a reply (`quotes`), automatic mail
(`automatic`), the border server's verdict on the sender (`authentication`), HTML to text and to safe HTML (`html`, and
`html_worker` for what must be killable), outgoing mail (`compose`, `reply_token`).
Never lives here: sockets, IMAP, SMTP, storage. Everything but `html_worker` is pure: the same bytes give the same value.
"""
