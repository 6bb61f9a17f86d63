"""freezer.py - runs a program and stops all its threads but the first, when told.

Usage: freezer.py PROGRAM...     lines on standard input: "freeze", "thaw"; each is answered "done"

A thread that was stopped by ptrace is like one that waits for a disk that does not answer: the
others go on. SIGTERM is passed on. Only a parent of the same user may do this everywhere, so this
is a program of its own. The end of standard input kills the program."""

import ctypes
import os
import signal
import subprocess
import sys
import threading

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of {thread}")


def freeze(pid):
    threads = [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]
    for thread in threads:
        ptrace(PTRACE_SEIZE, thread)
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
    return threads


def main():
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
        frozen = []

        def obey():
            # Only the thread that seized another may let it go.
            for line in sys.stdin:
                if line == "freeze\n":
                    frozen[:] = freeze(child.pid)
                elif line == "thaw\n":
                    while frozen:
                        ptrace(PTRACE_DETACH, frozen.pop())
                print("done", flush=True)
            child.kill()

        threading.Thread(target=obey, daemon=True).start()
        code = child.wait()
    os._exit(code if code >= 0 else 100)  # without waiting for standard input


if __name__ == "__main__":
    main()
