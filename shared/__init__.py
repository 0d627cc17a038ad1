"""The words every room speaks: message, handle, event, errors, time, and the servers they travel on.

Lives here: what two rooms import and what has no opinion about customer service.
Never lives here: who a customer is (profiles), where a message goes (router), how a provider speaks (ingest).
"""
