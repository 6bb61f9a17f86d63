"""web_front.py - a real nginx with TLS in front of a program that answers on a port of its own."""

import os

from peer import Process, authority

CONFIG = """
{user}
daemon off;
master_process off;
pid {d}/nginx.pid;
error_log {d}/nginx-error.log;
events {{ worker_connections 64; }}
http {{
  access_log {d}/nginx-access.log;
  client_body_temp_path {d}/nginx-body;
  proxy_temp_path {d}/nginx-proxy;
  fastcgi_temp_path {d}/nginx-fastcgi;
  uwsgi_temp_path {d}/nginx-uwsgi;
  scgi_temp_path {d}/nginx-scgi;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Host $http_host;
    {locations}
    location / {{ proxy_pass http://127.0.0.1:{backend}; }}
  }}
}}
"""


class WebFront:
    """plain, tls: ports it listens on; backend: of the program behind it; locations: more for the server."""

    def __init__(self, folder, plain, tls, backend, locations=""):
        self.folder, self.ports = folder, (plain, tls)
        ca = authority()
        with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as f:
            # Else nginx gives its folders to a user that a user name space has not.
            user = "user root root;" if os.geteuid() == 0 else ""
            f.write(CONFIG.format(d=folder, user=user, plain=plain, tls=tls, backend=backend, locations=locations,
                                  cert=ca.path("server.pem"), key=ca.path("server.key")))
        self.process = None
        self.start()

    def start(self):
        log = os.path.join(self.folder, "nginx.log")
        self.process = Process("nginx", ["/usr/sbin/nginx", "-p", self.folder, "-e", log, "-c",
                                         os.path.join(self.folder, "nginx.conf")], log)
        self.process.await_port(*self.ports)

    def end(self):
        self.process.end()
