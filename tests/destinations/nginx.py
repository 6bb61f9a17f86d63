"""nginx.py - a real nginx with its two WebDAV modules; one user, who logs in by Basic."""

import os
import subprocess

from apache import as_user
from peer import PASSWORD, USER, Process, free_ports

CONFIG = """
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off;
worker_processes 1;
pid {d}/pid;
error_log {d}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {d}/body;
  proxy_temp_path {d}/proxy;
  fastcgi_temp_path {d}/fastcgi;
  uwsgi_temp_path {d}/uwsgi;
  scgi_temp_path {d}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    root {d}/home;
    location / {{
      auth_basic peer;
      auth_basic_user_file {d}/users;
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
    }}
  }}
}}
"""


class Nginx:
    def __init__(self, folder):
        self.folder, self.port = folder, free_ports(1)[0]
        os.makedirs(folder + "/home")
        secret = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True,
                                capture_output=True, text=True).stdout.strip()
        for name, text in ("users", f"{USER}:{secret}\n"), ("conf", CONFIG.format(d=folder, port=self.port)):
            with open(f"{folder}/{name}", "w", encoding="ascii") as f:
                f.write(text)
        self.process = Process("nginx", as_user(["/usr/sbin/nginx", "-c", folder + "/conf"]),
                               folder + "/nginx.log").await_port(self.port)

    def settings(self, **changes):
        return {"url": f"http://127.0.0.1:{self.port}/", "auth": "basic", "user": USER,
                "password": PASSWORD, "password_in_clear": True, "timeout_s": 10, **changes}

    def read(self, name):
        with open(f"{self.folder}/home/{name}", "rb") as f:
            return f.read()
