#!/usr/bin/env bash
# cel-expr-python 0.1.3 and a pattern that stands in the expression as a constant: `text.matches("…")`.
#
# One would guess: the pattern is made into a program once, when the expression is compiled, so asking costs what matching costs, whatever the
# pattern's classes of letters. The implementation beneath has an option for just that.
#
# Seen: each evaluation makes the program anew. On a text of one letter a class of all letters of all scripts takes hundreds of times what a
# single letter takes, at the first evaluation and at every later one. Within a loop of the expression it is made at every turn. RE2 itself
# (google-re2 1.1.20251105), which keeps the program, needs about the same for both.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "cel-expr-python==0.1.3" "google-re2==1.1.20251105"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
import time

import re2
from cel_expr_python import cel

environment = cel.NewEnv(variables={"text": cel.Type.STRING})


def least_s(ask):
    """The least of the later evaluations: what was made once is made by then."""
    for _ in range(20):
        ask()
    taken = []
    for _ in range(100):
        began = time.thread_time()
        ask()
        taken.append(time.thread_time() - began)
    return min(taken)


def by_rule(pattern):
    program = environment.compile(f'text.matches("{pattern}")')
    return least_s(lambda: program.eval(environment.Activation(data={"text": "a"})).plain_value())


def by_engine(pattern):
    program = re2.compile(pattern)
    return least_s(lambda: program.fullmatch("a"))


letters, one = r"[\pL\pN]", "a"
in_rule = letters.replace("\\", "\\\\")
print("constant pattern in a rule, kept:", by_rule(in_rule) < 20 * by_rule(one))
print("the engine's own program, kept:", by_engine(letters) < 20 * by_engine(one))
PYTHON

cat >"$work/expected" <<'TEXT'
constant pattern in a rule, kept: False
the engine's own program, kept: True
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
