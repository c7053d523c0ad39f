"""What an idle keep-alive connection costs in memory."""

import json
import subprocess
import time

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway
from kit import processes
from kit.load import start_check
from kit.stage import GatewayFailed, Stage

CONNECTIONS = 10_000
SETTLE_SECONDS = 2.0


class Idle:
    name = "idle-10k"
    about = "10,000 keep-alive connections that each made one request and then stay silent."

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
        with stage.start(gateway, stage.work()) as running:
            pids = running.pids()
            time.sleep(SETTLE_SECONDS)
            before = processes.resident_kib(pids)
            target = f"127.0.0.1:{running.work.port}"
            check = start_check("idle", "--target", target, "--connections", CONNECTIONS, stdin=subprocess.PIPE)
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
