"""What telephone logs have in common: rows, legs, and the call they add up to. Pure.

Never lives here: a PBX's wire format beyond its rows, HTTP, files.
"""
