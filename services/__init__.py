"""The processes: gateway, router, api, courier, their supervisor, the command line, migrations and the web front end.

Lives here: settings, wiring, HTTP, sockets, deliveries.
Never lives here: a rule about identity, routing or a provider's format.
"""
