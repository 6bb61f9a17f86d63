"""kind_s3.py - OpenStack Swift (swift_server.py), which checks every signature, behind nginx with TLS."""

import contextlib
import os
import sys

import botocore.config
import botocore.session
from kind import TIMEOUT_S, Kind
from peer import PASSWORD, Process, authority, free_ports, tmpfs
from web_front import WebFront

BUCKETS = ("docs", "full", "readable", "drop")
PART = 5 << 20
SWIFT_PORTS = 6


class S3(Kind):
    name = "s3"

    def __init__(self, folder):
        super().__init__(folder)
        ports = free_ports(SWIFT_PORTS + 6)
        self.swift_port, fronts = ports[0], ports[SWIFT_PORTS:]
        self.swift = None
        self.start_swift()
        self.fronts = {}
        for name, backend in ("usual", 0), ("slow", 4), ("conditional", 5):
            below = os.path.join(folder, name)
            os.makedirs(below)
            self.fronts[name] = WebFront(below, fronts.pop(), fronts.pop(), self.swift_port + backend)
        session = botocore.session.Session()
        # An independent client, past nginx. Swift closes after a refusal: then it asks again.
        self.client = session.create_client(
            "s3", region_name="eu-test-1", endpoint_url=f"http://127.0.0.1:{self.swift_port}",
            aws_access_key_id="test:scan", aws_secret_access_key=PASSWORD,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}))

    def start_swift(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "swift_server.py")
        self.swift = Process("swift", [sys.executable, script, str(self.swift_port), self.folder],
                             os.path.join(self.folder, "swift.log")).await_port(self.swift_port)

    def close(self):
        for front in self.fronts.values():
            front.end()
        self.swift.end()

    def endpoint(self, front="usual", scheme="https", host="127.0.0.1"):
        plain, tls = self.fronts[front].ports
        return f"{scheme}://{host}:{tls if scheme == 'https' else plain}"

    def settings(self, **changes):
        return {"endpoint": self.endpoint(), "region": "eu-test-1", "bucket": "docs",
                "access_key": "test:scan", "secret_key": PASSWORD, "part_mib": PART >> 20,
                "tls_trust": "ca", "tls_ca": authority().text("ca.pem"), "timeout_s": TIMEOUT_S, **changes}

    def port(self):
        return self.fronts["usual"].ports[1]

    def through(self, port):
        return self.settings(endpoint=f"https://127.0.0.1:{port}")

    def content(self, key, bucket="docs"):
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def files(self, bucket="docs"):
        listed = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: self.content(item["Key"], bucket) for item in listed}

    def temporary(self):
        return [upload["Key"] for bucket in BUCKETS
                for upload in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    # --- faults ---

    @contextlib.contextmanager
    def wrong_password(self):
        yield self.settings(secret_key="wrong-" + PASSWORD)

    @contextlib.contextmanager
    def wrong_host(self):
        yield self.settings(endpoint="https://no-such-host.invalid")

    @contextlib.contextmanager
    def wrong_name(self):
        yield self.settings(bucket="no-such-bucket")

    @contextlib.contextmanager
    def read_only(self):
        yield self.settings(bucket="readable", access_key="test:reader")

    @contextlib.contextmanager
    def disk_full(self):
        with tmpfs(os.path.join(self.folder, "devices", "d1", "objects-1")):
            yield self.settings(bucket="full")

    def slowly(self):
        self.forget_upload()
        return self.settings(endpoint=self.endpoint("slow"))

    def dies(self):
        return self.while_uploading(self.swift.kill, self.start_swift)

    def hangs(self):
        return self.while_stopped(self.swift)
