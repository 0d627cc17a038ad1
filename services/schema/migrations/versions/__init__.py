"""One module per revision; what a revision that has been released does is never edited."""
