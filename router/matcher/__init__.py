"""Dispatch's shell: feeds the core with rows and writes what it asks for. It never decides who gets what."""
