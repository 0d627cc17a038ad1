"""The gateway: providers' posts and mail, verified and parsed, onto the log. It answers 2xx or 250 only when that is durable.

Never who the customer is, never a reply.
"""
