#!/usr/bin/python3
"""tcp_fault.py LISTEN HOST:PORT [WORD=VALUE...] - a TCP proxy with faults.

late=MS: nothing comes back from the server before. cut=BYTES: after so many bytes from the client the
connection is reset, or (how=hang) goes on without another byte. slow=KB_PER_S: the client's bytes go on at
that speed. deaf=BYTES: after so many bytes from the client nothing comes back any more. refuse=N: the
first N connections are reset at once; the one that looks whether the proxy is there is not counted."""

import socket
import struct
import sys
import threading
import time

BUFFER = 32768  # bytes of each socket, where there is a rate


def reset(s):
    """Ends a connection with RST."""
    try:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    s.close()


def pump(source, sink, budget, how, slow=None, heard=None):
    """Bytes from source to sink until one of them ends, or the budget is used up. heard: one number, of what
    may still come before the other direction is silent."""
    try:
        while True:
            data = source.recv(16384)
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            if budget is not None:
                budget -= len(data)
                if budget < 0:
                    if how == "hang":
                        time.sleep(3600)
                    reset(source)
                    reset(sink)
                    return
            if heard:
                heard[0] -= len(data)
            sink.sendall(data)
            if slow:
                time.sleep(len(data) / 1000 / slow)
    except OSError:
        reset(source)
        reset(sink)


def pump_until_deaf(server, client, heard):
    try:
        while data := server.recv(16384):
            if heard[0] > 0:
                client.sendall(data)
    except OSError:
        pass


def serve(client, target, options):
    try:
        server = socket.create_connection(target)
    except OSError:
        reset(client)
        return
    for s in client, server:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    cut = int(options["cut"]) if "cut" in options else None
    slow = int(options.get("slow", 0))
    heard = [int(options["deaf"])] if "deaf" in options else None
    if slow:  # little of it on the way
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    threading.Thread(target=pump, args=(client, server, cut, options.get("how"), slow, heard),
                     daemon=True).start()
    time.sleep(int(options.get("late", 0)) / 1000)
    if heard:
        pump_until_deaf(server, client, heard)
    else:
        pump(server, client, None, None)


def main():
    host, port = sys.argv[2].rsplit(":", 1)
    options = dict(word.split("=", 1) for word in sys.argv[3:])
    refuse = int(options.get("refuse", 0))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    if "rate" in options:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    listener.accept()[0].close()  # whoever started us looked whether we are there
    while True:
        client, _ = listener.accept()
        if refuse > 0:
            refuse -= 1
            reset(client)
            continue
        threading.Thread(target=serve, args=(client, (host, int(port)), options),
                         daemon=True).start()


if __name__ == "__main__":
    main()
