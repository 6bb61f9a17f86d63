"""Ten devices scan again and again while the server, its workers or everything is killed at random
moments and started again. PLATEN_CRASH_SECONDS says how long; PLATEN_CRASH_SEED repeats a choice of
moments (not their exact place)."""

import http.client
import os
import random
import signal
import subprocess
import threading
import time
import traceback

from house import CHOICES, House, pages

SECONDS = int(os.environ.get("PLATEN_CRASH_SECONDS", "25"))
SEED = int(os.environ.get("PLATEN_CRASH_SEED", str(int(time.time()))))
DEVICES = 10
STACK = 3  # sheets of one scan
DYING_SECONDS = 2
ENOUGH, LONGER = SECONDS + 1, 5  # pages; times the seconds, until there are so many and every deed was done
PAUSE_S = 0.6 if SECONDS < 60 else 2  # between scans; in a long run deliveries have to keep up
FEED = 150  # pages of a device until it gets new ones


def feed_of(device, number):
    """Pages that no other device ever has; some are sent in several blocks."""
    life = device.generation if device else 0
    return pages(FEED, f"device {number} life {life}", random.choice((600, 5000, 100000)))


def use(device, over, errors):
    """Somebody at a device: presses Start again and again, whatever happens."""
    left = FEED
    try:
        while not over.is_set():
            if left < STACK or device.process.poll() is not None:
                device.kill()
                device.start(feed_of(device, device.number))
                left = FEED
            try:
                if not device.state()["destinations"]:
                    time.sleep(0.1)
                    continue
                device.scan_whatever_happens(STACK, random.choice(list(CHOICES.values())))
                left -= STACK
            except (AssertionError, OSError, http.client.HTTPException):
                try:
                    device.process.wait(DYING_SECONDS)  # it was killed under our hands
                except subprocess.TimeoutExpired:
                    errors.append(traceback.format_exc())
                    return
            time.sleep(random.random() * PAUSE_S)
    except BaseException:  # reported by the main thread
        errors.append(traceback.format_exc())


def enough(house):
    return sum(len(device.acknowledged) for device in house.devices) >= ENOUGH


def kill_pid(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_a_worker(house):
    workers = house.workers()
    if workers:
        kill_pid(random.choice(workers))
    return bool(workers)


def kill_the_server(house):
    house.kill()
    while random.random() < 0.3:  # also while it starts
        house.server = house.launch()
        time.sleep(random.random() * 0.2)
        house.kill()
    time.sleep(random.random() * 0.3)
    house.start()
    return True


def kill_everything(house):
    workers = house.workers()
    for device in random.sample(house.devices, 2):
        device.process.kill()
    for pid in workers:
        kill_pid(pid)
    return kill_the_server(house)


def test_random_deaths():
    print(f"PLATEN_CRASH_SEED={SEED}")
    random.seed(SEED)
    kills = {kill_a_worker: 0, kill_the_server: 0, kill_everything: 0}
    errors = []
    with House() as house:
        house.start()
        house.define()
        for number in range(1, DEVICES + 1):
            house.device(feed_of(None, number))
        until, over = time.monotonic() + SECONDS, threading.Event()
        people = [threading.Thread(target=use, args=(d, over, errors)) for d in house.devices]
        for person in people:
            person.start()
        try:  # on a slow machine it takes longer until enough has happened
            while not errors and (time.monotonic() < until or time.monotonic() < until + LONGER * SECONDS
                                  and not (all(kills.values()) and enough(house))):
                time.sleep(random.random() * 1.5)
                deed = random.choices(list(kills), (4, 2, 1))[0]
                kills[deed] += deed(house)
        finally:
            over.set()
            for person in people:
                person.join()
        assert not errors, "\n".join(errors)
        house.send_everything(max(SECONDS, 120) * 4)
        safe = house.check_delivered()
        house.check_numbers()
        house.check_fsck()
        print(f"{safe} acknowledged pages, {len(house.files())} files, "
              + ", ".join(f"{deed.__name__} {n} times" for deed, n in kills.items()))
        assert safe >= ENOUGH, "hardly anything was scanned"
        assert all(kills.values())
