"""From a provider's bytes to a normalized message.

Lives here: one adapter per provider, signatures, mail parsing, the one way a message is taken in (`receive`).
Never lives here: who the customer is or where the message goes; this room imports neither profiles nor router.
"""
