"""Which queue: rules, their expressions, plans as people write them, and the record of why.

Pure; it never reads or writes a row.
"""
