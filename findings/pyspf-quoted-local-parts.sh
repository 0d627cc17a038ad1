#!/usr/bin/env bash
# pyspf 2.0.14 and an envelope sender whose local part is quoted and has an @ in it, which RFC 5321 (section 4.1.2, Quoted-string) allows.
#
# One would guess: the domain is what stands behind the last @, as in every address, so the policy of ornek.example is asked, and one of its
# own servers passes.
#
# Seen: the address is cut at the first @. The domain is then `home"@ornek.example`, which is none; that is the name that is asked for, nobody has
# it, and the result is "none", whatever ornek.example publishes. An address without quotes is cut where one expects. Who hands such a sender to the library replaces
# the local part's odd characters first; the result then only misses them in macros.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "pyspf==2.0.14" "dnspython==2.9.2"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
import spf

asked = []


def played(name, qtype, *more, **named):
    """A name server that knows one policy."""
    asked.append(f"{name.rstrip('.')} {qtype}")
    if (name.rstrip("."), qtype) == ("ornek.example", "TXT"):
        return [((name, "TXT"), (b"v=spf1 ip4:192.0.2.1 -all",))]
    return []


spf.DNSLookup = played
for sender in ("ayse.home@ornek.example", '"ayse home"@ornek.example', '"ayse@home"@ornek.example'):
    asked.clear()
    query = spf.query(i="192.0.2.1", s=sender, h="mail.ornek.example")
    result = query.check()[0]
    print(f"{sender}: domain {query.o}, {result}, asked {', '.join(asked)}")
PYTHON

cat >"$work/expected" <<'TEXT'
ayse.home@ornek.example: domain ornek.example, pass, asked ornek.example TXT
"ayse home"@ornek.example: domain ornek.example, pass, asked ornek.example TXT
"ayse@home"@ornek.example: domain home"@ornek.example, none, asked home"@ornek.example TXT
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
