"""The router's process: the consume loop and what is wired to it. It decides nothing; `router/` does."""
