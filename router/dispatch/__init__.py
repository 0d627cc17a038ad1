"""Which agent: the core that matches waiting items with agents. State and one step; never a clock, a store or randomness."""
