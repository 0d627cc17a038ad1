"""The database's history, as Alembic revisions; expand first, contract a release later."""
