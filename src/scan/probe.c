/* scan/probe.c - a device is tried, stage by stage, while another thread waits. See service.h. */
#include "scan/run.h"

/* Lives on the stack of the thread that waits, until it is over. */
typedef struct Probing {
    struct Probing *next;
    Probes *probes;
    const Device *device;
    DeviceProbe *ret;
    bool begun, over, ok;
    Err err;
} Probing;

/* Afterwards the probing may be gone. */
static void finish(Probing *probing, bool ok)
{
    Probes *probes = probing->probes;

    pthread_mutex_lock(&probes->lock);
    probing->ok = ok;
    probing->over = true;
    pthread_cond_broadcast(&probes->over);
    pthread_mutex_unlock(&probes->lock);
}

static void probed(void *arg, const DeviceProbe *probe)
{
    Probing *probing = arg;

    *probing->ret = *probe;
    finish(probing, true);
}

/* Loop thread: the next one begins. */
static void probe_posted(void *arg)
{
    ScanService *service = arg;
    Probes *probes = &service->probes;
    Probing *probing;

    pthread_mutex_lock(&probes->lock);
    for (probing = probes->first; probing && (probing->begun || probing->over);)
        probing = probing->next;
    if (probing)
        probing->begun = true;
    pthread_mutex_unlock(&probes->lock);
    if (!probing)
        return;
    DeviceReach reach = reach_of(service, probing->device);
    if (!device_probe(service->link, probing->device->address, &reach, probed, probing,
                      &probing->err))
        finish(probing, false);
}

/* Those that have begun were ended with the link. */
void probes_close(ScanService *service)
{
    Probes *probes = &service->probes;

    pthread_mutex_lock(&probes->lock);
    probes->closed = true;
    for (Probing *probing = probes->first; probing; probing = probing->next) {
        if (probing->over)
            continue;
        probing->over = true;
        err_set(&probing->err, ERR_TEMPORARY, 0, "the server is stopping");
    }
    pthread_cond_broadcast(&probes->over);
    pthread_mutex_unlock(&probes->lock);
}

static bool join_in(Probes *probes, Probing *probing, Err *err)
{
    bool ok = false;

    pthread_mutex_lock(&probes->lock);
    if (probes->closed) {
        err_set(err, ERR_TEMPORARY, 0, "the server is stopping");
    } else if (probes->count == SCAN_PROBES_MAX) {
        err_set(err, ERR_TEMPORARY, 0, "%d devices are being tried already", SCAN_PROBES_MAX);
        err_remedy(err, "Wait some seconds.");
    } else {
        Probing **end = &probes->first;

        while (*end)
            end = &(*end)->next;
        *end = probing;
        probes->count++;
        ok = true;
    }
    pthread_mutex_unlock(&probes->lock);
    return ok;
}

static void wait_and_leave(Probes *probes, Probing *probing)
{
    Probing **at = &probes->first;

    pthread_mutex_lock(&probes->lock);
    while (!probing->over)
        pthread_cond_wait(&probes->over, &probes->lock);
    while (*at != probing)
        at = &(*at)->next;
    *at = probing->next;
    probes->count--;
    pthread_mutex_unlock(&probes->lock);
}

bool scan_service_probe(ScanService *service, const Device *device, DeviceProbe *ret, Err *err)
{
    Probing probing = { .probes = &service->probes, .device = device, .ret = ret };

    if (!join_in(&service->probes, &probing, err))
        return false;
    loop_post(service->config.loop, probe_posted, service);
    wait_and_leave(&service->probes, &probing);
    if (!probing.ok)
        *err = probing.err;
    return probing.ok;
}
