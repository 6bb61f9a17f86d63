/* worker/sandbox.c - see sandbox.h.
 *
 * There is no Landlock library in Debian 12 and its kernel header is older than the kernels this runs
 * on, so the structure and the bits are declared here and chosen by the version the kernel tells.
 * Source: Documentation/userspace-api/landlock.rst of Linux. */
#include "worker/sandbox.h"

#include "base/cleanup.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shadow memory of a sanitizer needs terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WITH_SHADOW_MEMORY 1
#endif
#endif
#ifndef WITH_SHADOW_MEMORY
#define WITH_SHADOW_MEMORY 0
#endif

enum {
    LANDLOCK_VERSION_FLAG = 1,
    LANDLOCK_PATH_BENEATH = 1,
    ABI_KNOWN = 6,
};

/* Rights by bit: 0 execute, 1 write file, 2 read file, 3 read folder, 4 remove folder, 5 remove file,
 * 6 make device, 7 make folder, 8 make file, 9 make socket, 10 make fifo, 11 make block device,
 * 12 make link, 13 refer, 14 truncate, 15 ioctl. */
#define RIGHTS_IN_FOLDER                                                                  \
    (1ull << 1 | 1ull << 2 | 1ull << 3 | 1ull << 5 | 1ull << 7 | 1ull << 8 | 1ull << 13 | \
     1ull << 14)

typedef struct LandlockRuleset {
    uint64_t files, network, scoped;
} LandlockRuleset;

typedef struct LandlockBeneath {
    uint64_t allowed;
    int32_t folder_fd;
} __attribute__((packed)) LandlockBeneath;

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);

    return abi > 0 ? (int)abi : 0;
}

static bool enter_landlock(int folder_fd, Err *err)
{
    /* What each version can deny; all of it is denied. */
    static const struct {
        LandlockRuleset deny;
        size_t size;
    } by_abi[ABI_KNOWN + 1] = {
        [1] = { { (1u << 13) - 1, 0, 0 }, 8 },  [2] = { { (1u << 14) - 1, 0, 0 }, 8 },
        [3] = { { (1u << 15) - 1, 0, 0 }, 8 },  [4] = { { (1u << 15) - 1, 3, 0 }, 16 },
        [5] = { { (1u << 16) - 1, 3, 0 }, 16 }, [6] = { { (1u << 16) - 1, 3, 3 }, 24 },
    };
    int abi = sandbox_landlock_abi();

    if (abi == 0)
        return true; /* doctor reports it; the other walls stand */
    if (abi > ABI_KNOWN)
        abi = ABI_KNOWN;
    LandlockRuleset deny = by_abi[abi].deny;
    AUTO_FD rules = (int)syscall(SYS_landlock_create_ruleset, &deny, by_abi[abi].size, 0);
    if (rules < 0)
        return err_errno(err, errno, "cannot make Landlock rules");
    LandlockBeneath beneath = { .allowed = RIGHTS_IN_FOLDER & deny.files, .folder_fd = folder_fd };
    if (folder_fd != SANDBOX_NO_FILES &&
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_PATH_BENEATH, &beneath, 0) != 0)
        return err_errno(err, errno, "cannot add a Landlock rule");
    return syscall(SYS_landlock_restrict_self, rules, 0) == 0 ||
           err_errno(err, errno, "cannot enter Landlock");
}

/* What reading a page and writing a document needs, under glibc and under the sanitizers. */
static const char *const allowed_calls[] = {
    /* memory */
    "brk",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    /* files below the folder */
    "close",
    "copy_file_range",
    "dup",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fcntl",
    "fdatasync",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "linkat",
    "lseek",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "pread64",
    "pwrite64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "stat",
    "statfs",
    "statx",
    "unlink",
    "unlinkat",
    "write",
    "writev",
    /* messages on the socket that is open */
    "getsockopt",
    "poll",
    "ppoll",
    "recvfrom",
    "recvmsg",
    "sendmsg",
    "sendto",
    /* the process itself */
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "getrusage",
    "gettid",
    "gettimeofday",
    "getuid",
    "membarrier",
    "nanosleep",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "sigaltstack",
    "sysinfo",
    "time",
    "uname",
};

/* Nothing here ever asks for these by accident: who does is not our code any more. */
static const char *const deadly_calls[] = {
    "add_key",          "bpf",
    "delete_module",    "execve",
    "execveat",         "finit_module",
    "init_module",      "kexec_load",
    "keyctl",           "mount",
    "perf_event_open",  "pivot_root",
    "process_vm_readv", "process_vm_writev",
    "ptrace",           "reboot",
    "request_key",      "setns",
    "swapon",           "umount2",
    "unshare",          "userfaultfd",
};

static bool add_calls(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n,
                      Err *err)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);

        if (number < 0) /* this processor has no such call */
            continue;
        int rc = seccomp_rule_add(filter, action, number, 0);
        if (rc < 0)
            return err_errno(err, -rc, "cannot add system call %s to the sandbox", names[i]);
    }
    return true;
}

/* A process may signal itself only: abort() and the fault points do. */
static bool add_signals_to_self(scmp_filter_ctx filter, Err *err)
{
    const struct scmp_arg_cmp self = { .arg = 0,
                                       .op = SCMP_CMP_EQ,
                                       .datum_a = (scmp_datum_t)getpid() };
    int rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);

    if (rc == 0)
        rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, &self);
    return rc == 0 || err_errno(err, -rc, "cannot add signals to the sandbox");
}

static bool fill_filter(scmp_filter_ctx filter, Err *err)
{
    if (!add_calls(filter, SCMP_ACT_ALLOW, allowed_calls, COUNT_OF(allowed_calls), err) ||
        !add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly_calls, COUNT_OF(deadly_calls), err) ||
        !add_signals_to_self(filter, err))
        return false;
    int rc = seccomp_load(filter);
    return rc == 0 || err_errno(err, -rc, "cannot enter the seccomp sandbox");
}

static bool enter_seccomp(Err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    if (!filter)
        return err_set(err, ERR_TEMPORARY, 0, "no memory for the sandbox");
    bool ok = fill_filter(filter, err);
    seccomp_release(filter);
    return ok;
}

bool sandbox_tie(pid_t parent, Err *err)
{
    const struct rlimit no_core = { 0, 0 };

    if (parent == 0)
        parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        prctl(PR_SET_DUMPABLE, WITH_SHADOW_MEMORY) != 0) /* the leak checker traces its process */
        return err_errno(err, errno, "cannot tie the process to its parent");
    /* It may have died before the signal was asked for. */
    return getppid() == parent || err_set(err, ERR_CANCELLED, 0, "the parent process is gone");
}

static bool limit(__rlimit_resource_t resource, int64_t value, Err *err)
{
    const struct rlimit both = { (rlim_t)value, (rlim_t)value };

    return value == 0 || setrlimit(resource, &both) == 0 ||
           err_errno(err, errno, "cannot set a resource limit");
}

bool sandbox_limit(const SandboxLimits *limits, Err *err)
{
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that grows too large is an error, not a death */
    return limit(RLIMIT_AS, WITH_SHADOW_MEMORY ? 0 : limits->memory_bytes, err) &&
           limit(RLIMIT_CPU, limits->cpu_s, err) && limit(RLIMIT_FSIZE, limits->file_bytes, err) &&
           limit(RLIMIT_NOFILE, limits->files, err);
}

bool sandbox_enter(int folder_fd, const SandboxLimits *limits, Err *err)
{
    return (folder_fd == SANDBOX_ALL_FILES || enter_landlock(folder_fd, err)) &&
           sandbox_limit(limits, err) && enter_seccomp(err);
}
