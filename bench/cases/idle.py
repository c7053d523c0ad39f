"""What an idle connection costs in memory."""

import json
import subprocess
import time

from cases.pace import Outcome, Pace
from gateways.gateway import Front, Gateway
from kit import processes
from kit.load import start_check
from kit.stage import GatewayFailed, Stage

CONNECTIONS = 10_000
SETTLE_SECONDS = 2.0


class Idle:
    """Connections that stay silent; `tls` is what is spoken over TLS, if that is spoken."""

    def __init__(self, name: str, about: str, tls: str | None = None):
        self.name, self.about, self.tls = name, about, tls

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        outcome = Outcome(["gateway", "RSS before MiB", "RSS with them MiB", "KiB per connection", "open", "failed"])
        for gateway in gateways:
            try:
                outcome.rows.append([gateway.name, *self.measure(stage, gateway)])
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
        outcome.remarks.append("Memory of the gateway's processes; the kernel's own memory for sockets is not in it.")
        return outcome

    def measure(self, stage: Stage, gateway: Gateway) -> list[str]:
        front = Front.HTTP1 if self.tls is None else Front.TLS
        with stage.start(gateway, stage.work(front=front)) as running:
            pids = running.pids()
            time.sleep(SETTLE_SECONDS)
            before = processes.resident_kib(pids)
            options = ["--target", running.work.address, "--connections", CONNECTIONS]
            options += [] if self.tls is None else ["--tls", self.tls]
            check = start_check("idle", *options, stdin=subprocess.PIPE)
            try:
                report = json.loads(check.stdout.readline())
                time.sleep(SETTLE_SECONDS)
                after = processes.resident_kib(pids)
            finally:
                check.stdin.close()
                check.wait()
        held = max(report["open"], 1)
        figures = [f"{before / 1024:.1f}", f"{after / 1024:.1f}", f"{(after - before) / held:.2f}"]
        return [*figures, f"{report['open']:,}", f"{report['counts']['failed']:,}"]


IDLE = [
    Idle("idle-10k", "10,000 keep-alive connections that each made one request and then stay silent."),
    Idle("idle-tls-10k", "Like idle-10k, over TLS 1.3.", "http/1.1"),
    Idle("idle-h2", "Like idle-10k, with HTTP/2 over TLS 1.3.", "h2"),
]
