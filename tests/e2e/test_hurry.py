"""A server that is asked to stop twice does not wait for what hangs."""

import os
import signal
import time

from house import CALL_SECONDS, pages, wait_until
from test_scan import started


def test_second_signal_cuts_the_drain_of_the_queue():
    with started(drain_s=300) as house:
        assert house.device(pages(1, "first")).scan() == "done"
        house.wait_quiet()
        for pid in house.workers():
            os.kill(pid, signal.SIGSTOP)
        feed = pages(1, "second")
        assert house.device(feed).scan() == "done"
        house.server.send_signal(signal.SIGTERM)
        wait_until(lambda: "server.stopping" in house.log(), "the drain")
        time.sleep(1)
        assert house.is_running(), "a task is under way: the server waits for it"
        house.server.send_signal(signal.SIGTERM)
        assert house.server.wait(CALL_SECONDS) == 0
        house.start()
        house.wait_quiet()
        house.check_delivered()
