"""The courier: replies to providers with retries and the state of each, and the outbox onto the log."""
