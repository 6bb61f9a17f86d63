"""scan_bench.py - a device that is not of our making beside a real server, registered and approved."""

import os

import common
import epson_models
from epson_device import Device, Manner


def addresses(first):
    """Addresses of the loopback interface for the devices of one file of tests."""
    while True:
        yield f"127.0.{first // 250}.{first % 250 + 1}"
        first += 1


class Scan:
    """A device registered and approved, and what becomes of a press of Start."""

    def __init__(self, house, address, pages, model=epson_models.XP7100, **manner):
        self.house = house
        self.device = Device(address, house.scan_port, model, pages, Manner(**manner))
        self.device.register(("127.0.0.1", house.udp_port))
        self.id, self.before = house.approve(self.device.address), []

    def press(self, choice="02"):
        """Start is pressed and accepted."""
        self.before = [b["id"] for b in self.house.batches(self.id)]
        answer = self.device.press(("127.0.0.1", self.house.tcp_port), choice)
        assert b"<StatusOut>OK<" in answer, answer.decode() + self.house.log_text()[-2000:]

    def running(self):
        """The batch of the last press, while it is there and whatever its state."""
        return common.wait_until(lambda: next(iter(
            b for b in self.house.batches(self.id) if b["id"] not in self.before), None), "a batch")

    def batch(self):
        """What became of the last press."""
        self.device.wait_end()
        batch = self.house.settled_batch(self.id, self.before)
        assert self.device.complaints == []
        return batch

    def run(self, choice="02"):
        self.press(choice)
        return self.batch()

    def stored(self, batch):
        """The pages of a batch as the API lists them, and the bytes of each."""
        pages = self.house.show("batch", "pages", batch["id"])
        folder = next(os.path.join(path, batch["id"]) for path, names, _ in os.walk(self.house.spool)
                      if batch["id"] in names)
        return pages, [open(os.path.join(folder, p["file"]), "rb").read() for p in pages]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.device.close()
