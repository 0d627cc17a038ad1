"""Who is writing: handles, the links between them, and the person they add up to.

Lives here: the link ledger, the partition into profiles, attributes with provenance, the timeline.
Never lives here: messages' content, queues, agents.
"""
