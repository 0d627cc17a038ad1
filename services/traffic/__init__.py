"""Believable customers who write to a running deployment through its own entrances. What it knows of a deployment is what the API says.

Nothing here is imported by a process that serves customers.
"""
