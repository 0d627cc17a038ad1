"""Are two records the same person? Evidence weighed, purely. It never reads a store and never merges anybody."""
