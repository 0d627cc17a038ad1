"""Our own mail border: whether the domain in a mail's From stands behind it, found out rather than read.

Lives here: DNS within a time limit (`names`), SPF (`envelope`), DKIM and ARC (`signed`), DMARC (`dmarc`), the field that says it
(`evaluation`), and the process that it runs in (`worker`).
Never lives here: what a verdict is good for (`ingest/mail/authentication.py` reads the field as any border's), SMTP, storage, any
connection but to the name server.
"""
