"""A helper of `warmup`: for every part named on a line of its input it compiles that part and says so."""

import sys

from collatrisk.warming.parts import parts

for line in sys.stdin:
    parts()[line.strip()].run()
    sys.stdout.write("done\n")
    sys.stdout.flush()
