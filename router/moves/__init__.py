"""The one writer of transitions: work items, capacity, offers, expiry. Nobody else ever changes an item's state or whose it is."""
