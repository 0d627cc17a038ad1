"""A workspace's configuration as the router holds it in memory, and how it stays current. It never writes any."""
