/* destination/site.c - see site.h. */
#include "destination/site.h"

#include "base/fault.h"
#include "base/text.h"
#include "base/time.h"

#include <errno.h>

enum {
    NAMES_MAX = 9999,      /* name.pdf, name_2.pdf ... name_9999.pdf                        */
    NAMES_ONE_BY_ONE = 16, /* numbers looked at in turn, before bigger steps are taken     */
    TEMPORARY_SIZE = 64,
};

const char *const same_name_words[] = { "number", "overwrite", "refuse", NULL };

const Field site_option_fields[] = {
    SITE_OPTION_FIELDS,
    FIELDS_END,
};

/* One delivery on its way. */
typedef struct Visit {
    const SiteVerbs *verbs;
    const Errand *errand;
    const Parcel *parcel;
    SameName same_name;
    char name[FILE_NAME_BYTES_MAX + 1]; /* wanted, as the place takes it           */
    char temporary[TEMPORARY_SIZE];
    bool proposed; /* this attempt has a name reserved that it did not get so far */
} Visit;

static bool locate(Visit *visit)
{
    const SiteOptions *options = visit->errand->options;
    char folder[PATH_TEXT_SIZE];
    Err err;

    if (!name_folder_resolve(options->folder, &visit->parcel->facts, folder, &err))
        return delivery_failed(visit->errand->result, DELIVERY_CLASS_CONFIG, "locate", 0,
                               "Correct the folder in the job.", "%s", err.text);
    if (!visit->verbs->locate(visit->errand, folder))
        return false;
    (void)text_copy(visit->name, sizeof visit->name, visit->parcel->name);
    if (visit->verbs->fit)
        visit->verbs->fit(visit->errand, visit->name);
    return true;
}

/* Is a plain file of this name there, with the parcel's size and (where it can be known) hash? */
static bool is_ours(const Visit *visit, const char *name, bool *ret_ours)
{
    SiteFile file = { .size_bytes = -1 };
    char sha256[65];

    *ret_ours = false;
    if (!visit->verbs->look(visit->errand, name, &file))
        return false;
    if (!file.found || !file.plain || file.size_bytes != visit->parcel->size_bytes)
        return true;
    *ret_ours = true;
    if (!visit->verbs->hash)
        return true;
    if (!visit->verbs->hash(visit->errand, name, sha256))
        return false;
    *ret_ours = text_equal(sha256, visit->parcel->sha256);
    return true;
}

/* What was written is not what was sent: a source that changed is not worth another attempt. */
static bool damaged(const Visit *visit)
{
    DeliveryResult *result = visit->errand->result;

    if (!errand_source_sound(visit->errand))
        return false;
    return delivery_failed(result, DELIVERY_CLASS_RETRY, "verify", 0,
                           "Check the disk of the destination.",
                           "what was written reads back different");
}

static bool write_and_verify(const Visit *visit)
{
    bool ours;

    if (!visit->verbs->write(visit->errand, visit->temporary))
        return false;
    fault_point("site.written");
    if (!is_ours(visit, visit->temporary, &ours))
        return false;
    if (!ours)
        return damaged(visit);
    fault_point("site.verified");
    return true;
}

/* --- names ---------------------------------------------------------------------------------------- */

/* Candidate number n: the wanted name, then numbered ones. */
static void candidate(const Visit *visit, uint32_t n, char ret_name[FILE_NAME_BYTES_MAX + 1])
{
    if (n <= 1)
        (void)text_copy(ret_name, FILE_NAME_BYTES_MAX + 1, visit->name);
    else
        name_with_number(visit->name, n, ret_name);
}

static bool is_taken(const Visit *visit, uint32_t n, bool *ret_taken)
{
    char name[FILE_NAME_BYTES_MAX + 1];
    SiteFile file = { 0 };

    candidate(visit, n, name);
    if (!visit->verbs->look(visit->errand, name, &file))
        return false;
    *ret_taken = file.found;
    return true;
}

/* The first free number from n on; NAMES_MAX + 1 when there is none. Beyond the first few, doubling steps
 * and halving intervals find the end of a long row of numbers with few questions. */
static bool first_free(const Visit *visit, uint32_t n, uint32_t *ret_n)
{
    uint32_t low = n, high, step = 1;
    bool taken = true;

    for (high = n; high <= NAMES_MAX && taken; high += step) {
        if (!is_taken(visit, high, &taken))
            return false;
        if (!taken)
            break;
        low = high;
        if (high >= n + NAMES_ONE_BY_ONE)
            step *= 2;
    }
    if (taken) {
        if (low >= NAMES_MAX || !is_taken(visit, NAMES_MAX, &taken) || taken) {
            *ret_n = NAMES_MAX + 1;
            return taken;
        }
        high = NAMES_MAX;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (!is_taken(visit, middle, &taken))
            return false;
        if (taken)
            low = middle;
        else
            high = middle;
    }
    *ret_n = high;
    return true;
}

/* The file has its name. */
static bool finish(const Visit *visit, const char *name)
{
    return (!visit->verbs->finish || visit->verbs->finish(visit->errand, name)) &&
           errand_done(visit->errand, "rename", name);
}

/* Proposes a name and takes it, without a look before: rename() itself refuses a name that is taken.
 * *ret_taken: somebody has it. */
static bool take(Visit *visit, const char *name, bool *ret_taken)
{
    *ret_taken = false;
    visit->proposed = true; /* also when the answer is lost */
    if (!errand_propose(visit->errand, name))
        return false;
    fault_point("site.before-rename");
    if (!visit->verbs->rename(visit->errand, visit->temporary, name,
                              visit->same_name == SAME_NAME_OVERWRITE, ret_taken))
        return false;
    if (*ret_taken)
        return true;
    fault_point("site.renamed");
    visit->proposed = false;
    return finish(visit, name);
}

static bool refuse_taken(const Visit *visit, const char *name)
{
    return delivery_failed(visit->errand->result, DELIVERY_CLASS_FATAL, "rename", EEXIST,
                           "Remove the file there, or let the job number or overwrite.",
                           "%s is there already, and the job says refuse", name);
}

/* The first free name from number *n on. */
static bool free_name(const Visit *visit, uint32_t *n, char ret_name[FILE_NAME_BYTES_MAX + 1])
{
    if (!first_free(visit, *n, n))
        return false;
    if (*n > NAMES_MAX)
        return delivery_failed(
            visit->errand->result, DELIVERY_CLASS_CONFIG, "rename", EEXIST,
            "Empty the folder, or put {time} or {seq:N} into the job's file name.",
            "the folder has %s and %d numbered files beside it", visit->name, NAMES_MAX - 1);
    candidate(visit, *n, ret_name);
    return true;
}

bool site_free_name(const SiteVerbs *verbs, const Errand *errand, uint32_t *n,
                    char ret_name[FILE_NAME_BYTES_MAX + 1])
{
    Visit visit = { .verbs = verbs, .errand = errand, .parcel = errand->parcel };

    (void)text_copy(visit.name, sizeof visit.name, errand->parcel->name);
    return free_name(&visit, n, ret_name);
}

static bool take_numbered(Visit *visit)
{
    char name[FILE_NAME_BYTES_MAX + 1];
    uint32_t n;
    bool taken;

    if (!take(visit, visit->name, &taken))
        return false;
    for (n = 2; taken; n++)
        if (!free_name(visit, &n, name) || !take(visit, name, &taken))
            return false;
    return true;
}

static bool take_name(Visit *visit)
{
    const Parcel *parcel = visit->parcel;
    bool taken = true;

    if (visit->same_name != SAME_NAME_NUMBER)
        return take(visit, visit->name, &taken) && (!taken || refuse_taken(visit, visit->name));
    /* A name that was reserved is used when it is still free: the server has it in its rows. */
    if (parcel->reserved[0] && !take(visit, parcel->reserved, &taken))
        return false;
    return !taken || take_numbered(visit);
}

/* --- delivery ------------------------------------------------------------------------------------- */

/* An earlier attempt was allowed to use a name and then died, or its answer was lost. The file that has the
 * name may still be another's of the same size; but as long as the temporary one is there, ours did not get it. */
static bool finish_earlier(const Visit *visit, bool *ret_done)
{
    SiteFile temporary = { 0 };

    *ret_done = false;
    if (!visit->parcel->reserved[0])
        return true;
    if (!is_ours(visit, visit->parcel->reserved, ret_done))
        return false;
    if (*ret_done && !visit->verbs->hash &&
        !visit->verbs->look(visit->errand, visit->temporary, &temporary))
        return false;
    *ret_done = *ret_done && !temporary.found;
    return !*ret_done || (visit->verbs->remove(visit->errand, visit->temporary) &&
                          finish(visit, visit->parcel->reserved));
}

/* The proposed name is given back before the temporary file goes: see finish_earlier. False: whether it was
 * taken is not known, and the next attempt has to see both. */
static bool give_back(const Visit *visit)
{
    SiteFile temporary = { 0 };

    if (!visit->proposed || visit->verbs->hash)
        return true;
    return visit->verbs->look(visit->errand, visit->temporary, &temporary) && temporary.found &&
           errand_release(visit->errand);
}

/* Nothing of a failed attempt stays; why it failed is what is told. */
static void clean_up(const Visit *visit)
{
    DeliveryResult why = *visit->errand->result;

    /* Of a lost peer the next attempt writes over it. */
    if (!why.peer_lost && give_back(visit))
        (void)visit->verbs->remove(visit->errand, visit->temporary);
    *visit->errand->result = why;
}

static bool visit_begin(Visit *visit, const SiteVerbs *verbs, const Errand *errand)
{
    const SiteOptions *options = errand->options;

    *visit = (Visit){ .verbs = verbs,
                      .errand = errand,
                      .parcel = errand->parcel,
                      .same_name = (SameName)options->same_name };
    return text_printf(visit->temporary, sizeof visit->temporary, ".platen-%s.part",
                       errand->parcel->delivery) ||
           delivery_failed(errand->result, DELIVERY_CLASS_FATAL, "locate", 0,
                           "Report this as a fault of Platen.", "delivery id is too long");
}

void site_deliver(const SiteVerbs *verbs, const Errand *errand)
{
    Visit visit;
    bool done;

    if (!visit_begin(&visit, verbs, errand) || !locate(&visit) || !finish_earlier(&visit, &done) ||
        done)
        return;
    if (!write_and_verify(&visit) || !take_name(&visit))
        clean_up(&visit);
}

/* --- test ------------------------------------------------------------------------------------------ */

/* Tells that a stage ended, and when the next begins. */
static bool passed(const Errand *errand, const char *stage, Mono *since)
{
    Mono now = mono_now();

    errand->talk->passed(errand->talk->arg, stage, now.ms - since->ms);
    *since = now;
    return true;
}

/* The name that a test renames to is hidden as well: who watches the folder gets no file that is no
 * document. One that is there is of a test that died. */
void site_test(const SiteVerbs *verbs, const Errand *errand)
{
    bool ours = false, taken = false;
    Mono since = mono_now();
    Visit visit;

    if (!visit_begin(&visit, verbs, errand) || !locate(&visit) ||
        !text_printf(visit.name, sizeof visit.name, ".platen-%s-test.part",
                     errand->parcel->delivery))
        return;
    passed(errand, "locate", &since);
    bool written = verbs->write(errand, visit.temporary) && passed(errand, "write", &since) &&
                   is_ours(&visit, visit.temporary, &ours) && (ours || damaged(&visit)) &&
                   passed(errand, "verify", &since);
    if (!written || !verbs->rename(errand, visit.temporary, visit.name, false, &taken)) {
        clean_up(&visit);
        return;
    }
    passed(errand, "rename", &since);
    if ((!taken || verbs->remove(errand, visit.temporary)) && verbs->remove(errand, visit.name) &&
        passed(errand, "remove", &since))
        (void)errand_done(errand, "remove", "");
}
