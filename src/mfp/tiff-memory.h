/* mfp/tiff-memory.h - libtiff over a file that is already in memory. Read only. */
#ifndef PLATEN_MFP_TIFF_MEMORY_H
#define PLATEN_MFP_TIFF_MEMORY_H

#include "base/bytes.h"

#include <tiffio.h>

typedef struct TiffMemory {
    Bytes file;
    uint64_t at;
} TiffMemory;

/* Opens a page (from 0) of the file, which is borrowed, as memory is, until TIFFClose. NULL: no such page, or
 * no TIFF. libtiff's own words go nowhere. */
TIFF *tiff_memory_open(TiffMemory *memory, Bytes file, uint32_t page);

#endif
