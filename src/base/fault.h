/* base/fault.h - places where a test can kill the process.
 *
 * fault_point("spool.before-rename") does nothing in a release build. In a build with
 * -Dfaults=true the environment PLATEN_FAULT="spool.before-rename:3" makes the third visit say so on
 * standard error and kill the process with SIGKILL, as a power switch would; with ":3:stop" it is stopped
 * instead, so that a test can let it go on as an orphan. tests/crash visits every point it finds in the
 * sources, so a new point is tested without being listed anywhere. Any thread. */
#ifndef PLATEN_BASE_FAULT_H
#define PLATEN_BASE_FAULT_H

#ifdef PLATEN_FAULTS
/* One visit to the place called name ("spool.before-rename"); may not return. */
void fault_point(const char *name);
#else
static inline void fault_point(const char *name)
{
    (void)name;
}
#endif

#endif
