"""Meta's formats: WhatsApp Cloud, Messenger and Instagram messages, comments. Pure; see `ingest/adapters/meta.py`.

Never lives here: signatures and HTTP.
"""
