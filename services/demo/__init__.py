"""The demo of `santral serve --demo`: its workspace file and the sink for its outgoing mail.

Never here: anything a real deployment needs; the demo uses the product as its users do, through the API.
"""
