"""nginx as Debian packages it."""

import signal
from pathlib import Path

from gateways.gateway import Front, Gateway, Scene, Upstream, Work
from kit.places import installed


class Nginx(Gateway):
    name = "nginx"
    scenes = frozenset({Scene.PLAIN, Scene.GENERATION, Scene.ROUTES, Scene.HANG})
    stop_signal = signal.SIGQUIT
    version_arguments = ["-v"]

    def executable(self) -> Path | None:
        return installed("nginx")

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        return {
            "nginx.conf": f"""\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
events {{ worker_connections 16000; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 128k;
    proxy_buffer_size 16k;
    proxy_buffers 16 16k;
    proxy_max_temp_file_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    upstream origin {{
        server 127.0.0.1:{work.origin_port};
        keepalive 2048;
        keepalive_requests 1000000000;
        keepalive_timeout 300s;
    }}
    server {{
{listen(work)}
        proxy_http_version 1.1;
        proxy_set_header Connection "";
{locations(work)}
    }}
}}
"""
        }

    def command(self, work: Work, folder: Path) -> list:
        return [self.executable(), "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]


def listen(work: Work) -> str:
    match work.front:
        case Front.HTTP1:
            return f"        listen {work.address} backlog=4096;"
        case Front.H2C:
            return f"        listen {work.address} http2 backlog=4096;"
        case Front.TLS:
            # Sessions live in tickets alone, which is how nginx comes; a cache is not asked with TLS 1.3.
            return f"""\
        listen {work.address} ssl http2 backlog=4096;
        ssl_certificate {work.identity.chain};
        ssl_certificate_key {work.identity.key};
        ssl_protocols TLSv1.3;
        ssl_ecdh_curve X25519;"""


def locations(work: Work) -> str:
    match work.upstream:
        case Upstream.GRPC:
            return "        location / { grpc_pass grpc://origin; }"
        case Upstream.WEBSOCKET:
            return """\
        location / {
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_read_timeout 300s;
            proxy_pass http://origin;
        }"""
    if work.scene is Scene.HANG:
        return f"""\
        location / {{ proxy_pass http://origin; }}
        location /delay/ {{
            proxy_read_timeout 1s;
            proxy_pass http://127.0.0.1:{work.hanging_port};
        }}"""
    if work.scene is Scene.ROUTES:
        last = work.routes - 1
        plain = [f"location /r/{number}/ {{ proxy_pass http://origin; }}" for number in range(last)]
        mark = f"add_header x-generation {work.generation};"
        return "\n".join([*plain, f"location /r/{last}/ {{ {mark} proxy_pass http://origin; }}"])
    mark = ""
    if work.scene is Scene.GENERATION:
        # Setting one request header ends the inheritance of the others.
        mark = f"""
            proxy_set_header Connection "";
            proxy_set_header x-generation {work.generation};
            add_header x-generation {work.generation};"""
    return f"        location / {{{mark} proxy_pass http://origin; }}"
