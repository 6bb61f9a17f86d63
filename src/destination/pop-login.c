/* destination/pop-login.c - see pop-login.h. */
#include "destination/pop-login.h"

#include "base/text.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    VALID_MS = 5 * 60 * 1000, /* servers forget a log-in after ten minutes or more */
    REPLY_SIZE = 80,
    URL_BYTES_MAX = 1024,
    PORT_POP3 = 110,
    PORT_POP3S = 995,
};

struct PopLogin {
    PopConfig config;
    Transfer *transfer;
    bool logged_in;
    Mono at;
    long family;
    char reply[REPLY_SIZE]; /* last line of the server */
};

PopLogin *pop_new(const PopConfig *config)
{
    PopLogin *pop = calloc(1, sizeof *pop);
    const TransferConfig transfer = { .protocols = "pop3,pop3s",
                                      .peer = config->host,
                                      .timeout_s = config->timeout_s,
                                      .tls = config->tls };

    if (pop)
        pop->transfer = transfer_new(&transfer);
    if (!pop || !pop->transfer) {
        free(pop);
        return NULL;
    }
    pop->config = *config;
    pop->family = CURL_IPRESOLVE_WHATEVER;
    return pop;
}

void pop_free(PopLogin *pop)
{
    if (!pop)
        return;
    transfer_free(pop->transfer);
    free(pop);
}

bool pop_is_fresh(const PopLogin *pop)
{
    return pop->logged_in && !mono_reached(mono_now(), mono_after(pop->at, VALID_MS));
}

void pop_forget(PopLogin *pop)
{
    pop->logged_in = false;
}

const char *pop_pin(const PopLogin *pop)
{
    return transfer_pin(pop->transfer);
}

long pop_family(const PopLogin *pop)
{
    return pop->family;
}

static void hear(void *arg, Bytes line)
{
    PopLogin *pop = arg;

    (void)text_copy_bytes(pop->reply, sizeof pop->reply, line);
}

static void set_up(PopLogin *pop, const Errand *errand)
{
    const PopConfig *c = &pop->config;
    bool implicit = c->encryption == MAIL_IMPLICIT,
         ipv6 = strchr(c->host, ':') && c->host[0] != '[';
    AUTO_BUF url = buf_with_max(URL_BYTES_MAX);
    CURL *curl = transfer_begin(pop->transfer, errand);

    (void)buf_printf(&url, "%s://%s%s%s:%lld/", implicit ? "pop3s" : "pop3", ipv6 ? "[" : "",
                     c->host, ipv6 ? "]" : "",
                     (long long)(c->port    ? c->port
                                 : implicit ? PORT_POP3S
                                            : PORT_POP3));
    curl_easy_setopt(curl, CURLOPT_URL, buf_text(&url));
    if (c->encryption != MAIL_PLAIN)
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    curl_easy_setopt(curl, CURLOPT_USERNAME, c->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, c->password);
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "STAT");
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L); /* an open session locks the mailbox */
    transfer_listen(pop->transfer, hear, pop);
    pop->reply[0] = '\0';
}

static bool is_safe(PopLogin *pop)
{
    const PopConfig *c = &pop->config;

    if (text_has_control(c->user) || text_has_control(c->password))
        return transfer_failed(pop->transfer, DELIVERY_CLASS_CONFIG, "login",
                               "Write user and password without line ends.",
                               "user or password has a control character");
    return c->encryption != MAIL_PLAIN || c->password_in_clear ||
           transfer_failed(pop->transfer, DELIVERY_CLASS_CONFIG, "login",
                           "Set pop_encryption to starttls or implicit, or allow it with "
                           "password_in_clear.",
                           "the password would be readable on the way");
}

/* RFC 2449 and 3206: a refusal that has nothing to do with the password. */
static bool is_passing(const char *reply)
{
    return strstr(reply, "[IN-USE]") || strstr(reply, "[LOGIN-DELAY]") ||
           strstr(reply, "[SYS/TEMP]");
}

static bool fail(PopLogin *pop, const Errand *errand)
{
    DeliveryResult *result = errand->result;

    if (result->class == DELIVERY_CLASS_AUTH && is_passing(pop->reply)) {
        result->class = DELIVERY_CLASS_RETRY;
        (void)text_copy(result->cure, sizeof result->cure,
                        "Nothing: the POP server is busy, it is tried again.");
    } else if (result->class == DELIVERY_CLASS_AUTH) {
        (void)text_copy(result->cure, sizeof result->cure,
                        "Correct pop_user and pop_password of the destination.");
    }
    return false;
}

bool pop_log_in(PopLogin *pop, const Errand *errand)
{
    const PopConfig *c = &pop->config;
    struct timespec delay = { c->delay_ms / 1000, c->delay_ms % 1000 * 1000000 };
    const char *address = NULL;

    pop->logged_in = false;
    set_up(pop, errand);
    if (!is_safe(pop))
        return false;
    if (!transfer_run(pop->transfer, "login", NULL))
        return fail(pop, errand);
    curl_easy_getinfo(transfer_handle(pop->transfer), CURLINFO_PRIMARY_IP, &address);
    pop->family = address && strchr(address, ':') ? CURL_IPRESOLVE_V6 : CURL_IPRESOLVE_V4;
    pop->logged_in = true;
    pop->at = mono_now();
    (void)nanosleep(&delay, NULL);
    return true;
}
