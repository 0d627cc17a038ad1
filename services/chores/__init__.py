"""The courier's background rounds over profiles: duplicates and changed rules of identity. Never anything a customer waits for."""
