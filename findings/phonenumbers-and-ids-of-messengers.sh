#!/usr/bin/env bash
# phonenumbers 9.0.43 (Python port of libphonenumber, with its metadata) and the numbers by which WhatsApp knows people: the same
# mobile telephone has another form in each.
#
# Mexico: WhatsApp's ids still carry the 1 that was dialled before mobiles until 2019 (521 + ten digits). Argentina: mobiles are dialled with a 9
# from abroad (54 9 11 ...), and without it, with 15 behind the area code, at home. Brazil: mobiles got a ninth digit until 2016; ids of accounts from
# before have eight.
#
# One would guess: the library, which knows national habits, formats both forms of one telephone to one E.164 number, or at least says by
# is_number_match that they are one; and the forms that were right for years and stand in millions of accounts are still possible numbers.
#
# Seen: no two forms become one. The Mexican id is not even a possible number; the Brazilian one is possible and not valid; the two Argentinian
# forms are both valid, one as a mobile, the other as a fixed line. is_number_match calls the first two pairs a short match, as it does a number
# and its last digits, and the third none at all. Who asks the library alone has two people of one telephone.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --quiet --disable-pip-version-check install "phonenumbers==9.0.43"

"$work/venv/bin/python" - >"$work/seen" <<'PYTHON'
import phonenumbers as p

NAMES = {0: "fixed line", 1: "mobile", 2: "fixed line or mobile", 99: "unknown"}
MATCH = {0: "no number", 1: "no match", 2: "short match", 3: "match", 4: "exact match"}
for country, of_messenger, of_telephone in (
    ("Mexico", "+5215550001234", "+525550001234"),
    ("Argentina", "+5491150001234", "+541150001234"),
    ("Brazil", "+555480001234", "+5554980001234"),
):
    for form in (of_messenger, of_telephone):
        number = p.parse(form)
        e164 = p.format_number(number, p.PhoneNumberFormat.E164)
        said = "valid" if p.is_valid_number(number) else "possible" if p.is_possible_number(number) else "impossible"
        print(f"{country}: {form} is {said}, {NAMES[p.number_type(number)]}, E.164 {e164}")
    print(f"{country}: {MATCH[p.is_number_match(of_messenger, of_telephone)]}")
PYTHON

cat >"$work/expected" <<'TEXT'
Mexico: +5215550001234 is impossible, unknown, E.164 +5215550001234
Mexico: +525550001234 is valid, fixed line or mobile, E.164 +525550001234
Mexico: short match
Argentina: +5491150001234 is valid, mobile, E.164 +5491150001234
Argentina: +541150001234 is valid, fixed line, E.164 +541150001234
Argentina: short match
Brazil: +555480001234 is possible, unknown, E.164 +555480001234
Brazil: +5554980001234 is valid, mobile, E.164 +5554980001234
Brazil: no match
TEXT

cat "$work/seen"
diff "$work/expected" "$work/seen" && echo "as described"
