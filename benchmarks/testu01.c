/* TestU01's batteries on 32-bit words from standard input: see `rng_stream.py`, which writes them.

   Debian's libtestu01-0-dev is in its archive's part "non-free".
   cc -O2 benchmarks/testu01.c -ltestu01 -ltestu01probdist -ltestu01mylib -lm -o testu01
   python benchmarks/rng_stream.py paths | ./testu01 crush                                                            */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <testu01/bbattery.h>
#include <testu01/swrite.h>
#include <testu01/unif01.h>

static unsigned int words[1 << 16];
static size_t next, known;

static unsigned int word(void)
{
    if (next == known) {
        known = fread(words, sizeof words[0], sizeof words / sizeof words[0], stdin);
        next = 0;
        if (known == 0) {
            fputs("the stream ended before the battery did\n", stderr);
            exit(1);
        }
    }
    return words[next++];
}

int main(int count, char **arguments)
{
    const char *battery = count > 1 ? arguments[1] : "small";
    unif01_Gen *generator = unif01_CreateExternGenBits("words from standard input", word);
    swrite_Basic = FALSE;
    if (strcmp(battery, "small") == 0)
        bbattery_SmallCrush(generator);
    else if (strcmp(battery, "crush") == 0)
        bbattery_Crush(generator);
    else if (strcmp(battery, "big") == 0)
        bbattery_BigCrush(generator);
    else {
        fprintf(stderr, "battery %s: must be small, crush or big\n", battery);
        return 2;
    }
    unif01_DeleteExternGenBits(generator);
    return 0;
}
