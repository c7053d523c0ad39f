"""Menshen, built from this repository."""

import os
from pathlib import Path

from gateways.gateway import Front, Gateway, Method, Scene, Upstream, Work
from kit.places import built

FIVE_FILTERS = """
    filters:
      - request-id
      - headers: { request: { set: { x-bench: "1" } }, response: { remove: [server] } }
      - body-limit: 1MiB
      - ip-deny: [192.0.2.0/24]
      - secure-headers"""


class Menshen(Gateway):
    name = "menshen"
    advice = "cargo build --release -p menshen, or MENSHEN=path"
    scenes = frozenset(Scene)
    methods = {
        Method.ROUND_ROBIN: "round-robin",
        Method.LEAST_REQUESTS: "least-requests",
        Method.PEAK_EWMA: "peak-ewma",
    }

    def executable(self) -> Path | None:
        chosen = os.environ.get("MENSHEN")
        return Path(chosen) if chosen else built("menshen")

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        admin, log = "off", "off"
        if work.scene is Scene.FEATURES:
            admin, log = f"127.0.0.1:{work.admin_port}", str(folder / "access.log")
        return {
            "menshen.yaml": f"""\
gateway: {{ workers: 1, admin: {admin}, access-log: {log} }}
listeners: {{ web: {{ bind: {work.address}{tls(work)} }} }}
services: {{ origin: {{ endpoints: [{endpoints(work)}], balance: {self.methods[work.method]}{protocol(work)} }}{hanging(work)} }}
routes:
{routes(work)}
"""
        }

    def command(self, work: Work, folder: Path) -> list:
        return [self.executable(), "run", "-c", folder / "menshen.yaml"]


def endpoints(work: Work) -> str:
    return ", ".join(f"127.0.0.1:{port}" for port in work.endpoint_ports or (work.origin_port,))


def hanging(work: Work) -> str:
    if work.scene is not Scene.HANG:
        return ""
    return f", hanging: {{ endpoints: [127.0.0.1:{work.hanging_port}], timeouts: {{ first-byte: 1s }} }}"


def protocol(work: Work) -> str:
    return ", protocol: h2c" if work.upstream is Upstream.GRPC else ""


def tls(work: Work) -> str:
    if work.front is not Front.TLS:
        return ""
    certificate = f"{{ chain: {work.identity.chain}, key: {work.identity.key} }}"
    return f", tls: {{ minimum: 1.3, certificates: [{certificate}] }}"


def routes(work: Work) -> str:
    if work.scene is Scene.ROUTES:
        plain = [f"  r{number}: {{ match: /r/{number}/**, to: origin }}" for number in range(work.routes - 1)]
        last = f"  r{work.routes - 1}:\n    match: /r/{work.routes - 1}/**\n    to: origin{generation(work)}"
        return "\n".join([*plain, last])
    if work.scene is Scene.HANG:
        return "  all: { match: /**, to: origin }\n  hanging: { match: /delay/**, to: hanging }"
    filters = {Scene.FEATURES: FIVE_FILTERS, Scene.GENERATION: generation(work)}.get(work.scene, "")
    return f"  all:\n    match: /**\n    to: origin{filters}"


def generation(work: Work) -> str:
    mark = f"{{ set: {{ x-generation: {work.generation} }} }}"
    return f"\n    filters: [ {{ headers: {{ request: {mark}, response: {mark} }} }} ]"
