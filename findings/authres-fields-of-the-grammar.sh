#!/usr/bin/env bash
# authres 1.2.0 (Python) reads Authentication-Results fields, and its documentation names RFC 8601 as what it implements.
#
# One would guess: every field that follows the grammar of RFC 8601 section 2.2 is read, since a mail server may write any of them:
#   * the server's name as a quoted string (authserv-id is a value, and a value is a token or a quoted string);
#   * a comment before the slash and before the equals sign of a method with its version (CFWS may stand at both places);
#   * a domain with letters beyond ASCII: RFC 8616 has U-labels in this field of an internationalized message.
#
# Seen: the plain field is read, each of the three is refused with SyntaxError. Who takes a refusal for "no result" loses the
# verdict on the sender of every mail that such a server writes.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "authres==1.2.0"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
from authres import AuthResError, FeatureContext, dmarc

FIELDS = {
    "plain": "mx.example; dmarc=pass header.from=shop.example",
    "quoted server": '"mx.example"; dmarc=pass header.from=shop.example',
    "comments around the version": "mx.example; dkim (first) / 1 (second) = pass header.d=shop.example",
    "domain with an umlaut": "mx.example; dmarc=pass header.from=b\u00fccher.example",
}
reader = FeatureContext(dmarc)
for name, field in FIELDS.items():
    try:
        found = reader.parse_value(field)
    except AuthResError as error:
        print(f"{name}: {type(error).__name__}")
    else:
        print(f"{name}: {', '.join(f'{one.method} {one.result}' for one in found.results)}")
PYTHON

cat >"$work/expected" <<'TEXT'
plain: dmarc pass
quoted server: SyntaxError
comments around the version: SyntaxError
domain with an umlaut: SyntaxError
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
