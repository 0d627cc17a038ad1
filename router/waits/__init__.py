"""How long somebody will wait: predictions, Erlang's formulas, evenness. Pure; it never decides who gets what."""
