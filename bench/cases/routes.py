"""What many routes cost: to start with, to hold, to look through, and to change one of."""

import time

from cases.pace import Outcome, Pace
from cases.throughput import measure
from dataclasses import replace
from gateways.gateway import Gateway, Scene
from kit import processes
from kit.load import Wrk
from kit.stage import GatewayFailed, Running, Stage, status_and_generation

COUNTS = [10, 1_000, 100_000]
LIVE_WITHIN = 60.0


class Routes:
    name = "routes"
    about = (
        "10, 1,000 and 100,000 routes; 64 keep-alive connections asking for random ones. "
        "Nginx has a location for each, HAProxy a line in a map."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        header = ["gateway", "routes", "ready ms", "RSS MiB", "CPU µs/req", "req/s", "errors", "changed route live ms"]
        outcome = Outcome(header)
        for count in [count for count in COUNTS if count <= pace.most_routes]:
            for gateway in [gateway for gateway in gateways if Scene.ROUTES in gateway.scenes]:
                try:
                    outcome.rows.append([gateway.name, f"{count:,}", *self.measure(stage, gateway, count, pace)])
                except GatewayFailed as failure:
                    outcome.remarks.append(f"{count:,} routes: {failure}")
        return outcome

    def measure(self, stage: Stage, gateway: Gateway, count: int, pace: Pace) -> list[str]:
        load = Wrk("/", 64, "routes.lua", (str(count),))
        with stage.start(gateway, stage.work(scene=Scene.ROUTES, routes=count)) as running:
            resident = processes.resident_kib(running.pids()) / 1024
            load.finish(load.start(running.work, pace.warm_up))
            figures = measure(running, load, pace.seconds)
            live = change_one(running)
        return [
            f"{running.ready_after * 1e3:,.0f}", f"{resident:.1f}", f"{figures.cpu:.1f}", f"{figures.rate:,.0f}",
            f"{figures.errors:.0f}", f"{live * 1e3:,.0f}",
        ]  # fmt: skip


def change_one(running: Running) -> float:
    """Seconds from the reload signal until the last route answers with the new generation."""
    running.write(replace(running.work, generation="B"))
    began = time.monotonic()
    running.reload()
    while time.monotonic() < began + LIVE_WITHIN:
        if status_and_generation(running.work.port, running.work.probe) == (200, "B"):
            return time.monotonic() - began
        time.sleep(0.001)
    raise GatewayFailed(f"{running.gateway.name}: the changed route was not live within {LIVE_WITHIN:.0f} s")
