"""relay.py - stands between a server and a virtual device, and keeps every byte that the server sends.

To the server it is the device, to the device it is the server: UDP announcements and TCP of "Start pressed" go
from the device through it, and scans go through it to the device. Only the address in the server's reply is
replaced by its own, so that the device comes back to it."""

import contextlib
import socket
import threading

RELAY_HOST = 9  # of the house's network; devices begin at 2
DATAGRAM_MAX = 2048


class Relay:
    """A device behind it is made with device(); datagrams and streams are what the server sent."""

    def __init__(self, house):
        self.house = house
        self.address, self.server = house.address(RELAY_HOST), house.address(1)
        self.datagrams, self.streams, self.sockets = [], [], []
        self.device_address = None
        self.from_device = self.udp(self.house.udp_port)
        self.to_server = self.udp(0)
        self.asker = None
        self.run(self.requests)
        self.run(self.replies)

    def device(self, feed):
        """A device that knows the server as the relay, and is known to it as the relay."""
        device = self.house.stranger(feed, "--server", f"{self.address}:{self.house.udp_port}")
        self.device_address, device.address = device.address, self.address
        self.listen(self.house.tcp_port, lambda: (self.server, self.house.tcp_port), self.from_second)
        self.listen(self.house.scan_port, lambda: (self.device_address, self.house.scan_port), self.from_first)
        self.house.approve(device)
        return device

    def sent(self):
        """Everything the server sent to the device."""
        return b"\n".join([*self.datagrams, *(bytes(stream) for stream in self.streams)])

    # --- datagrams ---

    def udp(self, port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((self.address, port))
        self.sockets.append(s)
        return s

    def requests(self):
        while True:
            data, self.asker = self.from_device.recvfrom(DATAGRAM_MAX)
            if not data:
                return
            self.to_server.sendto(data, (self.server, self.house.udp_port))

    def replies(self):
        while True:
            data = self.to_server.recv(DATAGRAM_MAX)
            if not data:  # closed
                return
            self.datagrams.append(data)
            self.from_device.sendto(data.replace(self.server.encode(), self.address.encode()), self.asker)

    # --- connections ---

    def listen(self, port, target, keep):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.address, port))
        s.listen()
        self.sockets.append(s)
        self.run(lambda: self.accept(s, target, keep))

    def accept(self, listening, target, keep):
        while True:
            first, _ = listening.accept()
            second = socket.create_connection(target(), source_address=(self.address, 0))
            self.sockets += [first, second]
            keep(first, second)

    def from_first(self, first, second):
        """The server connects."""
        self.run(lambda: self.pump(first, second, self.stream()))
        self.run(lambda: self.pump(second, first, None))

    def from_second(self, first, second):
        """The device connects."""
        self.run(lambda: self.pump(second, first, self.stream()))
        self.run(lambda: self.pump(first, second, None))

    def stream(self):
        self.streams.append(bytearray())
        return self.streams[-1]

    @staticmethod
    def pump(source, sink, kept):
        while data := source.recv(65536):
            if kept is not None:
                kept += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    # --- threads ---

    def run(self, work):
        def quietly():
            with contextlib.suppress(OSError):  # a socket was closed: the end
                work()
        threading.Thread(target=quietly, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
