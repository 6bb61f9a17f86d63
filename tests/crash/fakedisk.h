/* tests/crash/fakedisk.h - a disk that remembers what was flushed, and can lose the rest.
 *
 * Between new and free it stands in for base/file's table and for SQLite's files (a VFS): everything
 * happens in a real folder as well, but each call is logged under one lock, in the order in which it
 * happened. From the log, the disk as a power cut at any call would have left it can be made as often
 * as wanted: what was flushed is there; writes, names, renames and removals that were not flushed are
 * kept or lost by a seed, writes in sectors of 512 bytes. The second use: the n-th call fails. */
#ifndef PLATEN_TESTS_CRASH_FAKEDISK_H
#define PLATEN_TESTS_CRASH_FAKEDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct FakeDisk FakeDisk;

/* root: an existing folder; only what is below it is logged. One at a time. */
FakeDisk *fakedisk_new(const char *root);
void fakedisk_free(FakeDisk *disk);

/* Puts a mark between the calls: what was promised at this moment. */
void fakedisk_note(FakeDisk *disk, size_t number);

/* Entries of the log so far (calls and notes). */
size_t fakedisk_log_size(const FakeDisk *disk);

/* How many notes are among the first `cut` entries. Notes are put in rising order from 0. */
size_t fakedisk_notes_before(const FakeDisk *disk, size_t cut);

/* Makes in the empty folder `to` what a power cut after the first `cut` entries leaves. Seeds divisible
 * by four lose everything that was not flushed, those with rest 1 nothing, the others a part. */
bool fakedisk_image(const FakeDisk *disk, size_t cut, uint64_t seed, const char *to);

/* The n-th call from now on (1 = the next) fails with errno_code, and all after it when stays. 0 ends
 * the failing. */
void fakedisk_fail(FakeDisk *disk, long n, int errno_code, bool stays);

/* Calls that could have failed since fakedisk_fail. */
long fakedisk_calls(const FakeDisk *disk);

#endif
