"""Caddy as Debian packages it."""

from pathlib import Path

from gateways.gateway import Front, Gateway, Work
from kit.places import installed

PROTOCOLS = {Front.HTTP1: "h1", Front.TLS: "h1 h2", Front.H2C: "h1 h2c"}


class Caddy(Gateway):
    name = "caddy"
    version_arguments = ["version"]

    def executable(self) -> Path | None:
        return installed("caddy")

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        return {
            "Caddyfile": f"""\
{{
    admin off
    auto_https off
    servers {{
        protocols {PROTOCOLS[work.front]}
        timeouts {{
            idle 5m
        }}
    }}
}}
{"https" if work.front is Front.TLS else "http"}://:{work.port} {{
    bind 127.0.0.1{tls(work)}
    reverse_proxy 127.0.0.1:{work.origin_port} {{
        transport http {{
            keepalive 5m
            keepalive_idle_conns 4096
            keepalive_idle_conns_per_host 2048
            compression off
        }}
    }}
}}
"""
        }

    def command(self, work: Work, folder: Path) -> list:
        return [self.executable(), "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]

    def environment(self, folder: Path) -> dict[str, str]:
        return {"GOMAXPROCS": "1", "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}


def tls(work: Work) -> str:
    if work.front is not Front.TLS:
        return ""
    return f"""
    tls {work.identity.chain} {work.identity.key} {{
        protocols tls1.3
        curves x25519
    }}"""
