"""`santral doctor`: what is so, and what to do about it. It never changes anything."""
