#!/usr/bin/python3
"""swift_server.py PORT FOLDER - OpenStack Swift with its S3 interface, all its servers in one process.

PORT is plain HTTP; PORT + 4 reads slowly at first and then makes FOLDER/uploading; PORT + 5 knows
If-None-Match, as Amazon's S3 does and Swift does not, and there an object called kms* has an ETag that is
no MD5, as encrypted ones may. Ports between are Swift's own. Buckets: docs; full,
whose objects are below FOLDER/devices/d1/objects-1; readable, which test:reader may read; drop, into which
test:writer may only write."""

import logging
import os
import sys

import eventlet

eventlet.monkey_patch()
logging.disable(logging.CRITICAL)

# pylint: disable=wrong-import-position
from eventlet import wsgi  # noqa: E402
from paste.deploy import loadapp  # noqa: E402
from swift.common import storage_policy, utils  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.swob import Request  # noqa: E402

COMMON = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
"""
STORAGE = "[app:main]\nuse = egg:swift#{kind}\n"
PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth copy slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
error_suppression_interval = 0
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
storage_domain = localhost
location = eu-test-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_scan = Scan-Pass-1 .admin
user_test_reader = Scan-Pass-1
user_test_writer = Scan-Pass-1
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
"""
CLUSTER = """
[swift-hash]
swift_hash_path_prefix = platen
swift_hash_path_suffix = test
[storage-policy:0]
name = usual
default = yes
[storage-policy:1]
name = full
"""
TAKEN = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>PreconditionFailed</Code>" \
        b"<Message>It is there.</Message></Error>"


class Paced:
    """A body that comes slowly at first."""

    def __init__(self, body, folder):
        self.body, self.folder, self.slow = body, folder, 40

    def read(self, *size):
        if self.slow > 0:
            self.slow -= 1
            with open(os.path.join(self.folder, "uploading"), "w", encoding="ascii"):
                eventlet.sleep(0.05)
        return self.body.read(*size)

    def __getattr__(self, name):
        return getattr(self.body, name)


class Server:
    def __init__(self, port, folder):
        self.port, self.folder = port, folder
        os.makedirs(os.path.join(folder, "devices", "d1", "objects-1"), exist_ok=True)
        utils.SWIFT_CONF_FILE = self.write("swift.conf", CLUSTER)
        utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b"platen", b"test"
        storage_policy.reload_storage_policies()
        for i, (kind, rings) in enumerate((("account", ["account"]), ("container", ["container"]),
                                           ("object", ["object", "object-1"]))):
            for ring in rings:
                self.make_ring(ring, port + 1 + i)
            self.serve(port + 1 + i, loadapp("config:" + self.write(kind + ".conf", self.common()
                                                                    + STORAGE.format(kind=kind))))
        proxy = "config:" + self.write("proxy.conf", self.common() + PROXY)
        self.core, self.app = loadapp(proxy, name="proxy-server"), loadapp(proxy)
        self.make_bucket("docs")
        self.make_bucket("full", x_storage_policy="full")
        self.make_bucket("readable", x_container_read="test:reader")
        self.make_bucket("drop", x_container_write="test:writer")
        self.serve(port + 4, self.slow)
        self.serve(port + 5, self.conditional)
        self.serve(port, self.app)

    def common(self):
        return COMMON.format(folder=self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def make_ring(self, name, port):
        builder = RingBuilder(2, 1, 1)
        builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "d1", "ip": "127.0.0.1",
                         "port": port, "replication_ip": "127.0.0.1", "replication_port": port})
        builder.rebalance()
        builder.get_ring().save(os.path.join(self.folder, name + ".ring.gz"))

    def make_bucket(self, name, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        made = Request.blank("/v1/AUTH_test/" + name, method="PUT", headers=headers,
                             environ={"swift_owner": True}).get_response(self.core)
        assert made.status_int in (201, 202), made.status

    @staticmethod
    def serve(port, app):
        eventlet.spawn(wsgi.server, eventlet.listen(("127.0.0.1", port)), app,
                       logging.getLogger("swift"), protocol=SwiftHttpProtocol)

    def slow(self, environ, start_response):
        environ["wsgi.input"] = Paced(environ["wsgi.input"], self.folder)
        return self.app(environ, start_response)

    def conditional(self, environ, start_response):
        condition = environ.pop("HTTP_IF_NONE_MATCH", None)
        if condition == "*":
            there = Request.blank("/v1/AUTH_test" + environ["PATH_INFO"], method="HEAD").get_response(self.core)
            if there.status_int == 200:
                environ["wsgi.input"].read()
                start_response("412 Precondition Failed", [("Content-Type", "application/xml"),
                                                           ("Content-Length", str(len(TAKEN)))])
                return [TAKEN]

        def start(status, headers, *more):
            if "/kms" in environ["PATH_INFO"]:
                headers = [(n, '"%s"' % ("0" * 32) if n.lower() == "etag" else v) for n, v in headers]
            return start_response(status, headers, *more)

        return self.app(environ, start)


if __name__ == "__main__":
    Server(int(sys.argv[1]), sys.argv[2])
    while True:
        eventlet.sleep(3600)
