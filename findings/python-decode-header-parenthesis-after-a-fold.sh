#!/usr/bin/env bash
# Python's email.header, as most scripts that read a mailbox use it: a subject that is folded before a parenthesis.
#
# Guessed: make_header(decode_header(subject)), which the documentation gives for a header as a text, reads what was sent; where a header is folded means nothing.
# Happens: where the line is folded between an encoded word and a text in parentheses, the space between them is lost: "for Løn (prøve)" reads as "for Løn(prøve)". The
#          same subject on one line, or with a letter or a bracket there, keeps it: the line's white space is taken off and a space is put back, but not before a
#          character that may be part of a comment. The newer interface (policy=email.policy.default) reads all of them right.
# The product: a notice's subject ends with the name of an agreement or a system, and such names have Danish letters and parentheses; where lettre folds the line depends on
#          their length. docs/operations.md says how a script reads it.
#
# Runs Python's standard library without the product. Exit 0: it still does so. Exit 1: it does something else.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 is needed"; exit 2; }
python3 -I - <<'PY'
import email
import email.header
import email.policy
import platform
import sys

print("Python", platform.python_version())
WORD = "=?utf-8?b?TMO4bg==?="  # Løn
seen = []
for between in (" ", "\r\n "):
    for behind in ("(A)", "[A]", "A"):
        message = f"Subject: Aftale for {WORD}{between}{behind}\r\n\r\nHej\r\n".encode()
        told = str(email.header.make_header(email.header.decode_header(email.message_from_bytes(message)["Subject"])))
        newer = str(email.message_from_bytes(message, policy=email.policy.default)["Subject"])
        right = f"Aftale for Løn {behind}"
        assert newer == right, newer
        print(f"{'folded' if between != ' ' else 'on one line'}, {behind}: {told!r}{'' if told == right else f', where {newer!r} was sent'}")
        seen.append(told == right)
if seen != [True, True, True, False, True, True]:
    print("the behaviour has changed")
    sys.exit(1)
PY
