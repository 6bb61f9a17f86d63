/* model/page-order.c - see page-order.h. */
#include "model/page-order.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const PageKey *left = a, *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static void swap(PageKey *one, PageKey *other)
{
    PageKey kept = *one;

    *one = *other;
    *other = kept;
}

void page_order(PageKey *keys, size_t n, bool last_first)
{
    if (n > 0)
        qsort(keys, n, sizeof *keys, compare);
    if (!last_first)
        return;
    for (size_t i = 0; i < n / 2; i++)
        swap(&keys[i], &keys[n - 1 - i]);
    for (size_t i = 0; i + 1 < n; i++) { /* now a back stands before its front */
        bool sheet = keys[i].side == 'B' && keys[i + 1].side == 'A' &&
                     keys[i].number == keys[i + 1].number + 1;

        if (sheet)
            swap(&keys[i], &keys[i + 1]);
    }
}
