"""Mail: from the bytes of RFC 5322 to a `Mail`, and from an answer back to bytes.

Lives here: MIME structure, charsets, headers and addresses (`mime`), the new part of a reply (`quotes`), automatic mail
(`automatic`), the border server's verdict on the sender (`authentication`), HTML to text and to safe HTML (`html`, and
`html_worker` for what must be killable), outgoing mail (`compose`, `reply_token`).
Never lives here: sockets, IMAP, SMTP, storage. Everything but `html_worker` is pure: the same bytes give the same value.

Three decisions, and why (bytes that arrive here are written by strangers):

* **The MIME reader is our own.** Context: of the readers that were measured, the standard library's modern policy raises on an
  unknown charset or a broken Message-ID and recurses once a nesting level; the fastest one loses names in comments, recipients
  with an unquoted comma and letters split over two encoded words, and rejects a mail whole for one broken base64 part. Decision:
  offsets into one buffer, each level cut by its boundary, everything decoded leniently and late. Consequence: no bytes raise,
  memory stays at one copy, and a mail of 80 kB takes about 1 ms, which is far from being the limit.
* **The HTML tokenizer is our own.** ``html.parser`` of Python 3.11.7 needs 244 s for 150 kB of ``<a``; a guard built on it is
  itself the bomb. `html_tokens` reads every byte once.
* **The reply splitter is our own.** Libraries match whole mails with backtracking patterns (quadratic in a line's length) and
  know no Turkish. `quotes` classifies line by line.
"""
