"""The courier's background rounds: duplicates, rules of identity, digests of bulk mail, links of the audit. Nobody waits for one, ever."""
