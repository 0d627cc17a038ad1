"""The courier's background rounds: duplicates, changed rules of identity, digests of bulk mail. Never anything a customer waits for."""
