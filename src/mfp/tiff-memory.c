/* mfp/tiff-memory.c - see tiff-memory.h. */
#include "mfp/tiff-memory.h"

#include <stdio.h>

static tmsize_t do_read(thandle_t handle, void *to, tmsize_t n)
{
    TiffMemory *memory = handle;
    Bytes left = memory->at < memory->file.n ? bytes_after(memory->file, (size_t)memory->at)
                                             : (Bytes){ 0 };
    size_t taken = left.n < (size_t)n ? left.n : (size_t)n;

    if (taken > 0)
        memcpy(to, left.p, taken);
    memory->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t do_write(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle;
    (void)from;
    (void)n;
    return -1;
}

static toff_t do_seek(thandle_t handle, toff_t offset, int whence)
{
    TiffMemory *memory = handle;

    if (whence == SEEK_CUR)
        offset += memory->at;
    if (whence == SEEK_END)
        offset += memory->file.n;
    memory->at = offset;
    return offset;
}

static int do_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t do_size(thandle_t handle)
{
    const TiffMemory *memory = handle;

    return memory->file.n;
}

TIFF *tiff_memory_open(TiffMemory *memory, Bytes file, uint32_t page)
{
    *memory = (TiffMemory){ .file = file };
    (void)TIFFSetErrorHandler(NULL);
    (void)TIFFSetWarningHandler(NULL);
    TIFF *tiff = TIFFClientOpen("picture", "rm", memory, do_read, do_write, do_seek, do_close,
                                do_size, NULL, NULL);

    if (!tiff)
        return NULL;
    if (page <= UINT16_MAX && TIFFSetDirectory(tiff, (tdir_t)page))
        return tiff;
    TIFFClose(tiff);
    return NULL;
}
