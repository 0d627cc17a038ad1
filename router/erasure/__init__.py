"""A person taken out of conversations and work. It never decides who is that person; `profiles/` does."""
