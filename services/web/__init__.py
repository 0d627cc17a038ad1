"""What people see in a browser: the customer's chat, the agent's desk, the demo's shop. TypeScript in ``src``, built into ``dist``.

Lives here: the pages, their one client of the socket protocol, and the build (`build.py`).
Never lives here: a decision; pages show what the API says and ask it to do things.
"""
