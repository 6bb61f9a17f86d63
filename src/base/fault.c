/* base/fault.c - see fault.h; compiled into builds with -Dfaults=true only. */
#include "base/fault.h"

#include "base/text.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void fault_point(const char *name)
{
    static atomic_int visits;
    const char *armed = getenv("PLATEN_FAULT");
    size_t n = strlen(name);
    int64_t at = 0;

    if (!armed || !text_starts_with(armed, name) || armed[n] != ':')
        return;
    if (text_to_int(armed + n + 1, 1, 1000000, &at) && atomic_fetch_add(&visits, 1) + 1 == at) {
        (void)dprintf(STDERR_FILENO, "fault=%s\n", armed); /* so that the test knows it came here */
        (void)kill(getpid(), SIGKILL);
    }
}
