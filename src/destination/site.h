/* destination/site.h - delivery to places that keep files in folders and can rename them.
 *
 *   locate   go to the folder; sub-folders that the job names are made
 *   look     is the name an earlier attempt reserved there, with our size (and hash), and its temporary file
 *            gone? then it is done
 *   write    .platen-<delivery>.part in that folder
 *   verify   its size, and where the place can hash, its hash
 *   rename   the name is proposed, then taken; taken names are numbered, replaced or refused. Nobody looks first:
 *            most names are free, and with distant places each question is a wait
 *
 * Somebody who looks into the folder sees a whole file or none. A failed attempt leaves no temporary
 * file, unless the connection is gone: then the next attempt writes over it. */
#ifndef PLATEN_DESTINATION_SITE_H
#define PLATEN_DESTINATION_SITE_H

#include "destination/destination.h"

/* What happens when the name is taken. */
typedef enum SameName { SAME_NAME_NUMBER, SAME_NAME_OVERWRITE, SAME_NAME_REFUSE } SameName;

/* A job's options for every place of this sort; the first member of the kind's own, if it has any. */
typedef struct SiteOptions {
    char folder[FOLDER_PATTERN_SIZE]; /* below the destination's; "" = there itself */
    int64_t same_name;                /* SameName                                   */
} SiteOptions;

/* The rows of these options in a kind's table. S: a struct that begins with SiteOptions site. */
#define SITE_OPTION_FIELDS                                                                    \
    PATTERN(SiteOptions, folder, FIELD_PATTERN_FOLDER,                                        \
            "Folder below the destination's, with tokens such as {date:%Y}/{job}; made when " \
            "missing."),                                                                      \
        CHOICE(SiteOptions, same_name, same_name_words, SAME_NAME_NUMBER,                     \
               "When the name is taken: number the new file, overwrite the old one, or refuse.")
extern const char *const same_name_words[];

/* The table for kinds without options of their own. */
extern const Field site_option_fields[];

/* What look() saw. */
typedef struct SiteFile {
    bool found;
    bool plain;         /* a file, not a folder or something else    */
    int64_t size_bytes; /* -1: the place does not say                */
} SiteFile;

/* All answer false with *errand->result filled; the class of a broken connection is RETRY, because the
 * next attempt looks first. Names are single names in the folder of the last locate. */
struct SiteVerbs {
    /* Goes to a folder below the settings' one ("" = itself; parts separated by "/", each clean) and
     * makes those that are missing. The settings' own folder must exist: it may be a disk that is not
     * mounted. Checks free space where the place tells it. */
    bool (*locate)(const Errand *errand, const char *folder);

    bool (*look)(const Errand *errand, const char *name, SiteFile *ret_file);

    /* Puts the whole parcel there under this name, over what an earlier attempt left. */
    bool (*write)(const Errand *errand, const char *name);

    /* SHA-256 (hex) of a file there; NULL: sizes are compared. */
    bool (*hash)(const Errand *errand, const char *name, char ret_sha256[65]);

    /* replace false: *ret_taken when `to` is there (then true is answered and nothing was changed). */
    bool (*rename)(const Errand *errand, const char *from, const char *to, bool replace,
                   bool *ret_taken);

    /* Removes a file; one that is not there is fine. */
    bool (*remove)(const Errand *errand, const char *name);

    /* Makes a wanted name one that the place takes, in place; asked after locate. NULL: it takes any. */
    void (*fit)(const Errand *errand, char name[FILE_NAME_BYTES_MAX + 1]);

    /* What is left to do with a file that has its name, for example to check it in. Repeating it is harmless:
     * it is also asked when an earlier attempt took the name. NULL: nothing. */
    bool (*finish)(const Errand *errand, const char *name);
};

/* The wanted name or, when it is taken, the first free one of those with numbers, from number *n (1 = without)
 * on; *n becomes its number. Needs only look(): for kinds without folders and renames. CONFIG when all
 * numbers are taken. */
bool site_free_name(const SiteVerbs *verbs, const Errand *errand, uint32_t *n,
                    char ret_name[FILE_NAME_BYTES_MAX + 1]);

/* Delivers and tests over the verbs. */
void site_deliver(const SiteVerbs *verbs, const Errand *errand);
void site_test(const SiteVerbs *verbs, const Errand *errand);

#endif
