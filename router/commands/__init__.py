"""What agents, supervisors and telephone systems ask of work, each in one transaction of the caller's. Never a loop of its own."""
