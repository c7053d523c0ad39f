"""Stopping under load: what was sent before the stop is answered in full."""

import json
import subprocess
import time

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway, Scene
from kit.load import start_check
from kit.stage import GatewayFailed, Stage

EXIT_WITHIN = 15.0


class Stop:
    name = "stop"
    about = (
        "A graceful stop (SIGTERM; nginx SIGQUIT, HAProxy SIGUSR1) under 32 closed-loop connections, 32 with 300 ms "
        "requests and 10 with 2 s streams. Requests sent before the stop must be answered in full; what is sent "
        "after it may be refused."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        outcome = Outcome(["gateway", "stops", "answered", "failed in flight", "refused after", "exit s", "exit code"])
        for gateway in [gateway for gateway in gateways if Scene.GENERATION in gateway.scenes]:
            runs = []
            try:
                runs = [self.measure(stage, gateway) for _ in range(pace.stops)]
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
                continue
            answered, failed, refused = (sum(run[index] for run in runs) for index in range(3))
            outcome.rows.append([
                gateway.name, f"{len(runs)}", f"{answered:,}", f"{failed}", f"{refused}",
                f"{max(run[3] for run in runs):.1f}", ", ".join(sorted({run[4] for run in runs})),
            ])  # fmt: skip
            kinds = [run[5] for run in runs if run[5]]
            outcome.remarks += [f"{gateway.name} failures: {kinds}"] if kinds else []
        return outcome

    def measure(self, stage: Stage, gateway: Gateway) -> tuple[int, int, int, float, str, dict]:
        with stage.start(gateway, stage.work(scene=Scene.GENERATION)) as running:
            check = start_check(
                "run", "--target", f"127.0.0.1:{running.work.port}", "--seconds", 4, "--fast", 32, "--slow", 32,
                "--streams", 10, "--stop-at", 1.5, "--stop", f"kill -{gateway.stop_signal} {running.process.pid}",
            )  # fmt: skip
            time.sleep(1.5)
            told, code = time.monotonic(), "none"
            try:
                code = str(running.process.wait(timeout=EXIT_WITHIN))
            except subprocess.TimeoutExpired:
                pass
            took = time.monotonic() - told
            report = json.loads(check.communicate()[0])
        sorts = report.items()
        answered = sum(sum(counts["answers"].values()) for _, counts in sorts)
        failed = sum(counts["failed"] for _, counts in sorts)
        refused = sum(sum(counts["excused"].values()) for _, counts in sorts)
        return answered, failed, refused, took, code, {sort: c["failures"] for sort, c in sorts if c["failures"]}
