"""What happens because time passes, one router at a time by lease: service level clocks, shifts, the pace of queues.

Never on request.
"""
