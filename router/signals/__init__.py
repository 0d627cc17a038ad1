"""What one message shows by itself: language, urgency, complaint, thanks. No store, and never what a customer's history says."""
