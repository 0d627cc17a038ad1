"""Messages that people move between conversations: merge, split, move, and the exact undo. Nothing else ever moves a message."""
