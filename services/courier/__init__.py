"""The courier: replies to providers with retries and the state of each, and the outbox onto the log.

Never the words of a reply or a provider's format.
"""
