"""The one writer of work items: transitions, capacity, offers, expiry. Nobody else ever changes where an item stands."""
