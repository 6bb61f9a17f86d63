/* base/fault.c - see fault.h; compiled into builds with -Dfaults=true only. */
#include "base/fault.h"

#include "base/text.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NUMBER_SIZE = 16 };

static const char stop_word[] = ":stop";

void fault_point(const char *name)
{
    static atomic_int visits;
    const char *armed = getenv("PLATEN_FAULT");
    size_t n = strlen(name);
    char number[NUMBER_SIZE];
    int64_t at = 0;

    if (!armed || !text_starts_with(armed, name) || armed[n] != ':')
        return;
    bool stop = text_ends_with(armed, stop_word);
    size_t digits = strlen(armed + n + 1) - (stop ? sizeof stop_word - 1 : 0);
    if (text_copy_bytes(number, sizeof number, (Bytes){ (const uint8_t *)armed + n + 1, digits }) &&
        text_to_int(number, 1, 1000000, &at) && atomic_fetch_add(&visits, 1) + 1 == at) {
        (void)dprintf(STDERR_FILENO, "fault=%s\n", armed); /* so that the test knows it came here */
        (void)kill(getpid(), stop ? SIGSTOP : SIGKILL);
    }
}
