"""The database's schema: revisions, migration, and the tables of this room. It never holds a query of the product."""
