"""What every process has in common: settings, start and stop, doors, problems, the loop of a chore. Never what one of them does."""
