"""The database's history, as Alembic revisions; expand first, contract a release later (how: ``services/schema/README.md``)."""

HEAD = "0023"
"""The newest revision this release knows, so that a process can ask without loading the migration tool; a test compares them."""

NEEDS = "0023"
"""The oldest revision this release's code works on. It rises when code leans on something that a later revision brought."""
