"""A work item, told purely: its states and what moves it on, plans, goals, terms, and the rule of capacity. No store, no clock."""
