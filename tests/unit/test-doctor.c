/* tests/unit/test-doctor.c - each thing that the doctor finds is made true and false: with a tree like /proc, a data
 * folder, and a store. The kernel's own words are in tests/peers/test_doctor.py. */
#include "tests/unit/doctor-network.h"

#include "model/quirks.h"
#include "store/db.h"
#include "store/pairing.h"

#include <sys/resource.h>

/* --- HTTPS ------------------------------------------------------------------------------------------------ */

static void certificates(void **state)
{
    static const char path[] = "/etc/platen/tls.pem", key[] = "/etc/platen/tls.key";
    DoctorCertificate *c = &facts.certificate, well = *c;

    c->valid_until.ms = today.ms + 29LL * DAY_MS;
    assert_says(assert_only(*state, FINDING_CERTIFICATE_EXPIRES_SOON, path), "29 more days");
    c->valid_until.ms = today.ms + 30LL * DAY_MS;
    assert_well(*state);
    c->valid_until.ms = today.ms;
    assert_only(*state, FINDING_CERTIFICATE_EXPIRED, path);
    *c = well;
    c->valid_from.ms = today.ms + 1;
    assert_only(*state, FINDING_CERTIFICATE_NOT_YET_VALID, path);
    *c = well;
    c->is_in_use = false;
    assert_only(*state, FINDING_CERTIFICATE_NOT_IN_USE, path);
    (void)text_copy(c->problem, sizeof c->problem, "open: Permission denied");
    assert_says(assert_only(*state, FINDING_CERTIFICATE_UNREADABLE, path), "Permission denied.");
    *c = well;
    (void)text_copy(c->key_problem, sizeof c->key_problem, "open: Permission denied");
    assert_only(*state, FINDING_CERTIFICATE_KEY_UNREADABLE, key);
    *c = (DoctorCertificate){ .is_on = false };
    assert_well(*state);
}

/* --- the data folder -------------------------------------------------------------------------------------- */

static int64_t space_left(void)
{
    Err err;
    AUTO_FD folder = file_open_folder(AT_FDCWD, data, &err);
    int64_t left = 0;

    assert_true(folder >= 0 && file_space_left(folder, &left, &err));
    return left;
}

static void be_reserved(int64_t bytes)
{
    have_reserve(bytes);
    config.spool = spool;
}

/* On the thread of the spool. */
static void batch_opened(void *arg, bool ok, const Err *err)
{
    (void)arg;
    (void)ok;
    (void)err;
}

static void space(void **state)
{
    be_reserved(2 * space_left());
    assert_only(*state, FINDING_DISK_FULL, data);
    be_reserved(space_left() / 2);
    assert_only(*state, FINDING_DISK_LOW, data);
    be_reserved(space_left() / 8);
    assert_well(*state);
}

/* What running scans may still need is kept for them: the doctor says so when the next one is refused for it. */
static void space_of_running_scans(void **state)
{
    enum { RUNNING = 8 };
    Fixture *f = *state;
    SpoolBatch *running[RUNNING];
    World world;

    world_make(f, &world);
    be_reserved(space_left() - RUNNING / 2LL * SPOOL_SCAN_RESERVE_BYTES);
    assert_only(f, FINDING_DISK_LOW, data);
    assert_true(spool_space_check(spool, &f->err));
    for (size_t i = 0; i < RUNNING; i++) {
        Batch batch = world_batch(&world);

        running[i] = spool_batch_open(spool, &batch, &world.device, batch_opened, NULL);
        assert_non_null(running[i]);
    }
    assert_false(spool_space_check(spool, &f->err));
    assert_only(f, FINDING_DISK_FULL, data);
    for (size_t i = 0; i < RUNNING; i++)
        spool_batch_close(running[i], NULL, NULL);
}

static void writing(void **state)
{
    struct stat st;
    char probe[128];

    config.data_path = "/nowhere";
    assert_says(assert_only(*state, FINDING_DATA_NOT_WRITABLE, "/nowhere"), "cannot be opened");
    config.data_path = "/proc/self"; /* a folder in which nobody makes files */
    examine(*state);
    assert_int_equal(found[0].id, FINDING_DATA_NOT_WRITABLE);
    config.data_path = data;
    (void)text_printf(probe, sizeof probe, "%s/.doctor-probe", data);
    assert_int_equal(mkdir(probe, 0700), 0); /* what stands in the way cannot be written */
    assert_only(*state, FINDING_DATA_NOT_WRITABLE, data);
    assert_int_equal(rmdir(probe), 0);
    assert_well(*state);
    assert_int_not_equal(stat(probe, &st), 0); /* nothing is left behind */
}

static void file_systems(void **state)
{
    put_mount("tmpfs", "rw,size=1g");
    assert_says(assert_only(*state, FINDING_DATA_VOLATILE, data), "is tmpfs.");
    put_mount("nfs4", "rw,vers=4.2");
    assert_only(*state, FINDING_DATA_REMOTE, data);
    put_mount("vfat", "rw");
    assert_only(*state, FINDING_DATA_WITHOUT_RIGHTS, data);
    put_mount("overlay", "rw,lowerdir=/l,upperdir=/u,workdir=/w");
    assert_only(*state, FINDING_DATA_IN_CONTAINER, data);
    put_mount("ext4", "rw,nobarrier");
    assert_says(assert_only(*state, FINDING_DATA_NOT_SYNCED, data),
                "(ext4) is mounted with nobarrier.");
    put_mount("xfs", "rw");
    assert_well(*state);
}

static void keys(void **state)
{
    char path[128];

    (void)text_printf(path, sizeof path, "%s/master.key", data);
    assert_int_equal(chmod(path, 0440), 0);
    assert_says(assert_only(*state, FINDING_KEY_READABLE, path), "0440");
    assert_int_equal(chmod(path, 0600), 0);
    assert_well(*state);
    facts.user++;
    assert_only(*state, FINDING_KEY_OWNER, path);
    facts.user--;
    assert_int_equal(unlink(path), 0);
    assert_only(*state, FINDING_KEY_MISSING, path);
    facts.key_is_credential = true;
    assert_well(*state);
}

static void a_key_in_a_folder_with_a_long_path(void **state)
{
    char deep[PATH_TEXT_SIZE], path[PATH_TEXT_SIZE];

    (void)text_printf(deep, sizeof deep, "%s/%0*d", data, 200, 0);
    (void)text_printf(path, sizeof path, "%s/master.key", deep);
    assert_int_equal(mkdir(deep, 0700), 0);
    config.data_path = deep;
    put_file(deep, "master.key", "");
    assert_int_equal(chmod(path, 0440), 0);
    assert_non_null(strstr(assert_only(*state, FINDING_KEY_READABLE, path)->cure, path));
}

/* --- clock and programs ----------------------------------------------------------------------------------- */

static void the_clock(void **state)
{
    Fixture *f = *state;
    Event event = { .kind = "device.seen" };

    facts.built.ms = today.ms + 1;
    assert_only(f, FINDING_CLOCK_BEFORE_BUILD, "clock");
    facts.built.ms = 1;
    assert_write(f, event_insert(tx, &event, &f->err));
    assert_well(f);
    facts.now.ms -= DAY_MS;
    facts.certificate.is_on = false;
    assert_only(f, FINDING_CLOCK_BEHIND_RECORDS, "clock");
}

static void missing_programs(void **state)
{
    Fixture *f = *state;
    StoredDestination share = { .id = id_new(DestinationId, wall_now()),
                                .destination = { .name = "Share",
                                                 .kind = "smb",
                                                 .settings = "{}",
                                                 .parallel = 1,
                                                 .expiry_hours = 72 } };

    programs[1].path = "/nowhere/platen-deliver-smb";
    assert_well(f); /* nobody needs it */
    assert_write(f, destination_insert(tx, &test_actor, &share, &f->err));
    assert_says(assert_only(f, FINDING_PROGRAM_MISSING, "/nowhere/platen-deliver-smb"),
                "\"Share\" is a destination of the kind smb");
    programs[1].path = "/etc/passwd"; /* there, but no program */
    assert_only(f, FINDING_PROGRAM_MISSING, "/etc/passwd");
    programs[0].path = "/nowhere/platen-worker";
    examine(f);
    assert_int_equal(found_count, 2);
}

/* --- devices and destinations -------------------------------------------------------------------------------- */

static void devices(void **state)
{
    DeviceSettings settings = { .name = "Front desk" };
    Fixture *f = *state;
    World world;

    assert_write(f, device_sighted(tx, "10.0.0.7", "PID 11D1", &world.device, &f->err));
    assert_says(assert_only(f, FINDING_DEVICE_WAITING, "10.0.0.7"), "PID 11D1 at 10.0.0.7 waits");
    assert_non_null(strstr(found[0].cure, "platen device approve 10.0.0.7,"));
    world_make(f, &world);
    assert_well(f);
    assert_write(f, device_contact(tx, &world.device, DEVICE_CONTACT_QUIET, &f->err));
    assert_only(f, FINDING_DEVICE_SILENT, "Front desk");
    config.address4 = ""; /* nobody can register then */
    config.address6 = "::";
    put("net/tcp6", HEAD TCP6_ROW("4712"));
    add_address("eth0", "fd00::5", 0);
    config.multicast = false;
    assert_only(f, FINDING_REGISTRATION_NEEDS_IPV4, "::");
    config.address4 = "0.0.0.0";
    config.address6 = "";
    config.multicast = true;
    facts.address_count--;
    assert_write(f, device_contact(tx, &world.device, DEVICE_CONTACT_UNREACHABLE, &f->err));
    assert_only(f, FINDING_DEVICE_OFFLINE, "Front desk");
    assert_write(f, device_contact(tx, &world.device, DEVICE_CONTACT_ANNOUNCED, &f->err));
    assert_well(f);
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    assert_says(assert_only(f, FINDING_DEVICE_WITHOUT_JOBS, "Front desk"), "no job group");
    (void)text_copy(settings.job_group, sizeof settings.job_group, world.group.id.text);
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    assert_well(f);
    settings.jobs_by = DEVICE_JOBS_BY_NAME;
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    const Finding *said = assert_only(f, FINDING_DEVICE_JOBS_BY, "Front desk");
    assert_says(said, "\"name\" is set, but the server has one interface");
    assert_non_null(strstr(said->cure, "interfaces in [devices]"));
    settings.jobs_by = DEVICE_JOBS_BY_AUTO;
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    assert_well(f);
    world.group.group.job_count = 0;
    assert_write(f, job_group_change(tx, &test_actor, &world.group, &f->err));
    assert_says(assert_only(f, FINDING_DEVICE_WITHOUT_JOBS, "Front desk"), "group has no jobs");
}

/* Approving what waits would only break the next scan as well. */
static void another_device_at_an_address(void **state)
{
    DeviceSettings settings = { .name = "Front desk" };
    Fixture *f = *state;
    World world;

    world_make(f, &world);
    assert_write(f, device_distrust(tx, &world.device.id, "It has the number B, not A.", &f->err));
    const Finding *said = assert_only(f, FINDING_DEVICE_ANOTHER, "Front desk");
    assert_says(said, "It has the number B, not A.");
    assert_non_null(strstr(said->cure, "platen device delete 'Front desk', wait"));
    /* A name alone changes nothing about that. */
    (void)text_copy(settings.job_group, sizeof settings.job_group, world.group.id.text);
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    assert_only(f, FINDING_DEVICE_ANOTHER, "Front desk");
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings,
                                  DEVICE_EVENT_APPROVE, 0, &f->err));
    assert_well(f);
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_REVOKE,
                                  0, &f->err));
    said = assert_only(f, FINDING_DEVICE_WAITING, "Front desk");
    assert_says(said, "Its approval was taken back.");
    (void)text_copy(settings.name, sizeof settings.name, "Jo's \"$1\"");
    assert_write(f, device_change(tx, &test_actor, &world.device.id, &settings, DEVICE_EVENT_MAX_,
                                  0, &f->err));
    said = assert_only(f, FINDING_DEVICE_WAITING, "Jo's \"$1\"");
    assert_non_null(strstr(said->cure, "platen device approve 'Jo'\\''s \"$1\"', if"));
}

static void warnings_and_quirks(void **state)
{
    static QuirkBook book = { .count = 2,
                              .rows = { { .model = "PID 9999", .why = "Another one." },
                                        { .model = "PID*", .why = "Seen in the hall." } } };
    ScanNotes warnings = { 0 };
    Fixture *f = *state;
    World world;

    assert_write(f, device_sighted(tx, "10.0.0.7", "PID 11D1", &world.device, &f->err));
    world_make(f, &world);
    scan_note_once(&warnings, &(ScanNote){ .warning = "glass-dirty",
                                           .text = "The glass is dirty.",
                                           .remedy = "Clean it." });
    scan_note_once(&warnings, &(ScanNote){ .warning = "battery-low", .text = "It is low." });
    assert_write(f, device_warned(tx, &world.device.id, &warnings, &f->err));
    const Finding *said = assert_only(f, FINDING_DEVICE_WARNS, "Front desk");
    assert_says(said, "glass-dirty, battery-low. The glass is dirty.");
    assert_string_equal(said->cure, "Clean it.");
    assert_write(f, device_warned(tx, &world.device.id, &(ScanNotes){ 0 }, &f->err));
    assert_well(f);
    config.quirks = &book;
    assert_says(assert_only(f, FINDING_DEVICE_QUIRKS, "Front desk"), "PID* (1 row): Seen in");
    book.rows[1].model[0] = 'Q';
    assert_well(f);
}

static void buttons(void **state)
{
    Fixture *f = *state;
    Pairing pairing = { .state = PAIRING_PAIRED, .name = "Platen", .other = "PC-7" };
    World world;

    world_make(f, &world);
    assert_write(f, pairing_put(tx, &world.device.id, &pairing, NULL, "", &f->err));
    assert_well(f);
    pairing.state = PAIRING_LOST;
    assert_write(f, pairing_put(tx, &world.device.id, &pairing, NULL, "", &f->err));
    assert_says(assert_only(f, FINDING_DEVICE_PAIRING, "Front desk"), "calls \"PC-7\" since");
    assert_non_null(strstr(found[0].cure, "platen device pair 'Front desk';"));
    pairing.state = PAIRING_OUTDATED;
    pairing.problem = PAIRING_NO_ANSWER;
    assert_write(f, pairing_put(tx, &world.device.id, &pairing, NULL, "", &f->err));
    assert_says(assert_only(f, FINDING_DEVICE_PAIRING, "Front desk"), "(no-answer)");
    pairing.state = PAIRING_NONE;
    assert_write(f, pairing_put(tx, &world.device.id, &pairing, NULL, "", &f->err));
    assert_well(f);
}

static Batch refused(Fixture *f, const World *world, const char *code)
{
    Batch batch = world_batch(world);
    Reason reason = { .text = "It showed another certificate.", .remedy = "Look." };

    (void)text_copy(reason.code, sizeof reason.code, code);
    assert_write(f, batch_insert(tx, &batch, &f->err));
    assert_write(f, batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, &reason, &f->err));
    usleep(2000); /* the next scan begins later */
    return batch;
}

static void certificates_of_devices(void **state)
{
    Fixture *f = *state;
    World world;

    world_make(f, &world);
    (void)refused(f, &world, "connect-failed");
    assert_well(f);
    (void)refused(f, &world, "certificate-changed");
    assert_says(assert_only(f, FINDING_DEVICE_CERTIFICATE, "Front desk"), "at 10.0.0.7 showed");
    (void)refused(f, &world, "certificate-changed");
    assert_only(f, FINDING_DEVICE_CERTIFICATE, "Front desk");
    (void)refused(f, &world, "tls-downgraded"); /* the last one counts */
    assert_says(assert_only(f, FINDING_DEVICE_DOWNGRADED, "Front desk"), "older TLS");
    (void)refused(f, &world, "tls-lost");
    assert_says(assert_only(f, FINDING_DEVICE_TLS_LOST, "Front desk"), "spoke no TLS");
    (void)refused(f, &world, "connect-failed"); /* says nothing about who is there */
    assert_only(f, FINDING_DEVICE_TLS_LOST, "Front desk");
    Batch good = world_batch(&world);
    assert_write(f, batch_insert(tx, &good, &f->err)); /* nor does one that has just begun */
    assert_only(f, FINDING_DEVICE_TLS_LOST, "Front desk");
    assert_write(f,
                 device_tls_learned(tx, &world.device.id, DEVICE_TLS_MODERN, "TLSv1.3", &f->err));
    assert_well(f); /* the device itself is back */
    assert_write(f, batch_apply(tx, &good.id, BATCH_EVENT_CANCEL, NULL, &f->err));
    (void)refused(f, &world, "certificate-changed");
    assert_only(f, FINDING_DEVICE_CERTIFICATE, "Front desk");
    assert_write(f, device_certified(tx, &world.device.id, "ab12", &f->err));
    assert_write(f, device_trust(tx, &test_actor, &world.device.id, &f->err));
    assert_well(f);
    usleep(2000);
    (void)refused(f, &world, "tls-lost"); /* what is trusted next has to have TLS as well */
    assert_only(f, FINDING_DEVICE_TLS_LOST, "Front desk");
}

/* What refused() does, when the wall clock of the server is so much ahead. */
static void refused_at(Fixture *f, const World *world, int64_t ahead_ms)
{
    Batch batch = world_batch(world);
    Reason reason = { "certificate-changed", "It showed another certificate.", "Look." };

    assert_write(f, (tx->now.ms += ahead_ms, batch_insert(tx, &batch, &f->err)));
    assert_write(f, (tx->now.ms += ahead_ms,
                     batch_apply(tx, &batch.id, BATCH_EVENT_BREAK, &reason, &f->err) &&
                         device_alarm(tx, &world->device.id, &reason, &f->err)));
}

static void proven_at(Fixture *f, const World *world, int64_t ahead_ms)
{
    assert_write(
        f, (tx->now.ms += ahead_ms,
            device_tls_learned(tx, &world->device.id, DEVICE_TLS_MODERN, "TLSv1.3", &f->err)));
}

/* The order of alarms and proofs is that in which they came, however the clock is corrected in between. */
static void certificates_and_a_clock_that_is_corrected(void **state)
{
    enum { HOUR_MS = 3600000 };
    Fixture *f = *state;
    World world;

    world_make(f, &world);
    proven_at(f, &world, HOUR_MS);
    assert_well(f);
    refused_at(f, &world, 0); /* hidden until the clock has caught up, else */
    assert_only(f, FINDING_DEVICE_CERTIFICATE, "Front desk");
    proven_at(f, &world, -HOUR_MS); /* and this one would not end it */
    assert_well(f);
    refused_at(f, &world, -HOUR_MS);
    assert_only(f, FINDING_DEVICE_CERTIFICATE, "Front desk");
    assert_write(
        f, (tx->now.ms -= 2 * HOUR_MS, device_trust(tx, &test_actor, &world.device.id, &f->err)));
    assert_well(f);
}

/* An attempt of the delivery that can be claimed. */
static void attempt(Fixture *f, DeliveryClass class, DeliveryEvent event)
{
    DeliveryResult result = { .class = class, .stage = "connect", .text = "Nobody answers." };
    DeliveryClaim claim;
    bool found_one = false;

    assert_write(f, delivery_claim(tx, NULL, NULL, 0, &claim, &found_one, &f->err));
    assert_true(found_one);
    assert_write(f, delivery_ended(tx, &claim.delivery.id, event, &result, wall_now(), &f->err));
}

static void destinations(void **state)
{
    Fixture *f = *state;
    World world;

    world_make(f, &world);
    (void)world_delivering(f, &world, 2);
    assert_well(f);
    attempt(f, DELIVERY_CLASS_RETRY, DELIVERY_EVENT_RETRY_LATER);
    assert_says(assert_only(f, FINDING_DESTINATION_FAILING, "Archive"),
                "1 deliveries wait after failed attempts; the last one: Nobody answers.");
    attempt(f, DELIVERY_CLASS_FATAL, DELIVERY_EVENT_FAIL);
    assert_says(assert_only(f, FINDING_DESTINATION_STUCK, "Archive"), "1 deliveries need a person");
    assert_write(f, destination_stop(tx, &test_actor, &world.destination.id, "No entry.",
                                     "Enter the password again.", &f->err));
    examine(f);
    assert_int_equal(found[0].id, FINDING_DESTINATION_STOPPED);
    assert_string_equal(found[0].what, "No entry.");
    assert_string_equal(found[0].cure, "Enter the password again.");
    was_true[FINDING_DESTINATION_STOPPED] = true;
}

/* More of a kind than anybody reads. */
static void many_devices(void **state)
{
    enum { MANY = DOCTOR_PER_KIND_MAX + 7 };
    Fixture *f = *state;
    Device device;

    for (int i = 0; i < MANY; i++) {
        char address[32];

        (void)text_printf(address, sizeof address, "10.0.9.%d", i);
        assert_write(f, device_sighted(tx, address, "", &device, &f->err));
    }
    examine(f);
    assert_int_equal(found_count, DOCTOR_PER_KIND_MAX + 1);
    assert_string_equal(found[DOCTOR_PER_KIND_MAX].where, "others");
    assert_says(&found[DOCTOR_PER_KIND_MAX], "holds for 7 more.");
}

/* --- what could not be looked at is said, and blames nobody ---------------------------------------------------- */

static void a_network_that_cannot_be_listed(void **state)
{
    struct rlimit limit, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){ 0, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    doctor_look(&facts);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(text_ends_with(facts.network_error, "Too many open files"));
    assert_int_equal(facts.interface_count, 0);
    facts.proc_path = proc;
    facts.now = today;
    facts.built = (Wall){ 1 };
    assert_says(assert_only(*state, FINDING_COULD_NOT_LOOK, "network interfaces"),
                "are not known: list the network interfaces: Too many open files.");
    config.interfaces = "eth0,eth1";
    examine(*state);
    for (size_t i = 0; i < found_count; i++)
        assert_int_equal(found[i].id, FINDING_COULD_NOT_LOOK);
    assert_true(found_count > 0);
}

static void files_that_cannot_be_read(void **state)
{
    take_away("net/igmp");
    assert_says(assert_only(*state, FINDING_COULD_NOT_LOOK, "multicast"), "net/igmp");
    put_groups(group, group);
    take_away("net/udp");
    assert_only(*state, FINDING_COULD_NOT_LOOK, "UDP 2968");
    put("net/udp", HEAD UDP_ROW("4711"));
    take_away("self/mountinfo");
    assert_only(*state, FINDING_COULD_NOT_LOOK, data);
    put_mount("ext4", "rw");
    have_names();
    take_away("sys/net/ipv4/conf/eth1/arp_ignore");
    assert_says(assert_only(*state, FINDING_COULD_NOT_LOOK, "eth1"), "arp_ignore of eth1");
}

static void a_database_that_cannot_be_read(void **state)
{
    Fixture *f = *state;

    assert_write(f, db_script(tx_db(tx), "ALTER TABLE device RENAME TO gone;", &f->err));
    assert_says(assert_only(f, FINDING_COULD_NOT_LOOK, "database"), "devices could not be read");
}

static void this_computer(void **state)
{
    doctor_look(&facts);
    (void)state;
    assert_string_equal(facts.proc_path, "/proc");
    assert_string_equal(facts.network_error, "");
    assert_true(facts.interface_count > 0);
    bool lo = false;
    for (size_t i = 0; i < facts.interface_count; i++)
        lo = lo || (text_equal(facts.interfaces[i].name, "lo") && facts.interfaces[i].is_loopback);
    assert_true(lo);
    assert_true(facts.built.ms > 1700000000000 && facts.built.ms <= facts.now.ms);
    assert_int_equal(facts.user, geteuid());
}

/* --- the table ------------------------------------------------------------------------------------------------- */

static void every_finding_was_true_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < FINDING_MAX_; i++) {
        const FindingKind *kind = &finding_kinds[i];

        assert_non_null(kind->name);
        assert_true(text_ends_with(kind->meaning, ".") && kind->cure[0]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(kind->name, finding_kinds[k].name);
        if (!was_true[i])
            fail_msg("no test had the finding %s", kind->name);
    }
}

/* The table of docs/doctor.md. */
static void print_table(Buf *to)
{
    buf_printf(to, "| finding | level | what it means | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < FINDING_MAX_; i++) {
        const FindingKind *kind = &finding_kinds[i];

        buf_printf(to, "| `%s` | %s | %s | %s |\n", kind->name, finding_level_words[kind->level],
                   kind->meaning, kind->cure);
    }
}

static void the_page_has_every_finding(void **state)
{
    AUTO_BUF page = buf_with_max(1024 * 1024);
    AUTO_BUF wanted = buf_with_max(256 * 1024);
    Err err;

    (void)state;
    print_table(&wanted);
    if (!file_read_whole(AT_FDCWD, getenv("PLATEN_DOCTOR_PAGE"), &page, &err))
        fail_msg("docs/doctor.md: %s", err.text);
    if (!strstr(buf_text(&page), buf_text(&wanted)))
        fail_msg("the table of docs/doctor.md is not this one: build/VARIANT/tests/unit/"
                 "test-doctor --print");
}

#define DOCTOR_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        DOCTOR_TEST(addresses_that_devices_are_told),
        DOCTOR_TEST(an_address_that_went),
        DOCTOR_TEST(addresses_that_nobody_gave),
        DOCTOR_TEST(ports),
        DOCTOR_TEST(ports_of_other_addresses),
        DOCTOR_TEST(only_ipv6),
        DOCTOR_TEST(no_ipv4_there),
        DOCTOR_TEST(addresses_are_compared_as_numbers),
        DOCTOR_TEST(multicast),
        DOCTOR_TEST(interfaces_with_names),
        DOCTOR_TEST(ports_of_names),
        DOCTOR_TEST(switches_of_the_kernel),
        DOCTOR_TEST(certificates),
        DOCTOR_TEST(space),
        DOCTOR_TEST(space_of_running_scans),
        DOCTOR_TEST(writing),
        DOCTOR_TEST(file_systems),
        DOCTOR_TEST(keys),
        DOCTOR_TEST(a_key_in_a_folder_with_a_long_path),
        DOCTOR_TEST(the_clock),
        DOCTOR_TEST(missing_programs),
        DOCTOR_TEST(devices),
        DOCTOR_TEST(another_device_at_an_address),
        DOCTOR_TEST(warnings_and_quirks),
        DOCTOR_TEST(buttons),
        DOCTOR_TEST(certificates_of_devices),
        DOCTOR_TEST(certificates_and_a_clock_that_is_corrected),
        DOCTOR_TEST(destinations),
        DOCTOR_TEST(many_devices),
        DOCTOR_TEST(a_network_that_cannot_be_listed),
        DOCTOR_TEST(files_that_cannot_be_read),
        DOCTOR_TEST(a_database_that_cannot_be_read),
        DOCTOR_TEST(this_computer),
        cmocka_unit_test(every_finding_was_true_once),
        cmocka_unit_test(the_page_has_every_finding),
    };

    if (argc == 2 && text_equal(argv[1], "--print")) {
        AUTO_BUF text = buf_with_max(256 * 1024);

        print_table(&text);
        return fputs(buf_text(&text), stdout) >= 0 ? 0 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
