"""Which queue and which agent, and why.

Lives here: intake, policy, the dispatch core and its shell, offers, capacity, decisions.
Never lives here: providers' formats, HTTP, sockets.
"""
