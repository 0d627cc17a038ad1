"""Two people who may be one: found, kept, decided by a person. It never merges by itself."""
