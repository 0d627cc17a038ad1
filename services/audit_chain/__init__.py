"""The audit made evident: a chain of digests over its rows, written after them and verified from its beginning.

Lives here: what is digested and how, linking, verification.
Never lives here: the audit's rows themselves, and who may read them (`services/api`); when links are written (`services/chores`).
"""
