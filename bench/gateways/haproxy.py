"""HAProxy as Debian packages it."""

import signal
from pathlib import Path

from gateways.gateway import Front, Gateway, Method, Scene, Upstream, Work
from kit.places import installed


class HAProxy(Gateway):
    name = "haproxy"
    scenes = frozenset({Scene.PLAIN, Scene.GENERATION, Scene.ROUTES, Scene.BALANCE, Scene.HANG})
    methods = {Method.ROUND_ROBIN: "roundrobin", Method.LEAST_REQUESTS: "leastconn"}
    reload_signal = signal.SIGUSR2
    stop_signal = signal.SIGUSR1
    version_arguments = ["-v"]

    def executable(self) -> Path | None:
        return installed("haproxy")

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        configuration = f"""\
global
    nbthread 1
    maxconn 10500
    no strict-limits
    # So that a 16 KiB reply fits with its head.
    tune.bufsize 32768
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout tunnel 300s
    timeout http-keep-alive 300s
    http-reuse always
frontend web
    bind {work.address} backlog 4096{speaking(work)}
{rules(work, folder)}
    default_backend origin
backend origin
    balance {self.methods[work.method]}
{servers(work)}
{hanging(work)}
"""
        files = {"haproxy.cfg": configuration}
        if work.scene is Scene.ROUTES:
            entries = [f"/r/{number}/ A" for number in range(work.routes - 1)]
            files["routes.map"] = "\n".join([*entries, f"/r/{work.routes - 1}/ {work.generation}", ""])
        return files

    def command(self, work: Work, folder: Path) -> list:
        """As a master with one worker, because that is what can reload."""
        return [self.executable(), "-W", "-f", folder / "haproxy.cfg", "-p", folder / "haproxy.pid"]


def servers(work: Work) -> str:
    settings = f"{' proto h2' if work.upstream is Upstream.GRPC else ''} pool-max-conn -1 pool-purge-delay 300s"
    ports = work.endpoint_ports or (work.origin_port,)
    return "\n".join(f"    server origin{port} 127.0.0.1:{port}{settings}" for port in ports)


def hanging(work: Work) -> str:
    if work.scene is not Scene.HANG:
        return ""
    return f"backend hanging\n    timeout server 1s\n    server hanging 127.0.0.1:{work.hanging_port}"


def speaking(work: Work) -> str:
    match work.front:
        case Front.HTTP1:
            return ""
        case Front.H2C:
            return " proto h2"
        case Front.TLS:
            return f" ssl crt {work.identity.both} alpn h2,http/1.1 ssl-min-ver TLSv1.3 curves X25519"


def rules(work: Work, folder: Path) -> str:
    match work.scene:
        case Scene.GENERATION:
            return (
                f"    http-request set-header x-generation {work.generation}\n"
                f"    http-response set-header x-generation {work.generation}"
            )
        case Scene.HANG:
            return "    use_backend hanging if { path_beg /delay/ }"
        case Scene.ROUTES:
            return (
                f"    http-request set-var(txn.route) path,map_beg({folder}/routes.map)\n"
                "    http-request deny deny_status 404 unless { var(txn.route) -m found }\n"
                "    http-response set-header x-generation %[var(txn.route)]"
            )
        case _:
            return ""
