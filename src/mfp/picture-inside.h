/* mfp/picture-inside.h - what the files behind mfp/picture.h share. */
#ifndef PLATEN_MFP_PICTURE_INSIDE_H
#define PLATEN_MFP_PICTURE_INSIDE_H

#include "mfp/picture.h"

#define PICTURE_CM_PER_INCH 2.54

/* Each reads the headers of picture->file into *picture. */
bool picture_read_jpeg(Picture *picture, Err *err);
bool picture_read_png(Picture *picture, Err *err);
bool picture_read_tiff(Picture *picture, Err *err);

/* Takes densities that can be a resolution, leaves out others. */
static inline void picture_set_dpi(Picture *picture, double x, double y)
{
    if (x < PICTURE_DPI_MIN || x > PICTURE_DPI_MAX || y < PICTURE_DPI_MIN || y > PICTURE_DPI_MAX)
        return;
    picture->dpi_x = (uint32_t)(x + 0.5);
    picture->dpi_y = (uint32_t)(y + 0.5);
}

#endif
