/* tests/bench/harupdf.c - JPEG files to PDF with libharu, the peer of bench-compose.py.
 *
 * usage: harupdf OUT < list of names. What a program with libharu would do, nothing else. */
#include <hpdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_error(HPDF_STATUS code, HPDF_STATUS detail, void *arg)
{
    (void)arg;
    (void)fprintf(stderr, "harupdf: error %04lx, detail %lu\n", (unsigned long)code,
                  (unsigned long)detail);
    exit(1);
}

int main(int argc, char **argv)
{
    HPDF_Doc pdf = argc == 2 ? HPDF_New(on_error, NULL) : NULL;
    char name[4096];

    if (!pdf)
        return 2;
    while (fgets(name, sizeof name, stdin)) {
        name[strcspn(name, "\n")] = '\0';
        HPDF_Image image = HPDF_LoadJpegImageFromFile(pdf, name);
        float width = (float)HPDF_Image_GetWidth(image) * 72 / 300;
        float height = (float)HPDF_Image_GetHeight(image) * 72 / 300;
        HPDF_Page page = HPDF_AddPage(pdf);

        (void)HPDF_Page_SetWidth(page, width);
        (void)HPDF_Page_SetHeight(page, height);
        (void)HPDF_Page_DrawImage(page, image, 0, 0, width, height);
    }
    (void)HPDF_SaveToFile(pdf, argv[1]);
    HPDF_Free(pdf);
    return 0;
}
