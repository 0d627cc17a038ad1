"""The database's history, as Alembic revisions; expand first, contract a release later."""

HEAD = "0003"
"""The last revision, so that a process knows what it needs without loading the migration tool; a test compares them."""
