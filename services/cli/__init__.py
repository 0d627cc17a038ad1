"""The command line: one module a verb, each with a `register(app)`. Verbs talk to the API or start processes; they decide nothing.

Never here: rules, SQL of other rooms, anything a test of the product would need a terminal for.
"""
