"""Reloading under load: nothing may fail, nothing may be cut, every answer is wholly old or wholly new."""

import json
import time
from dataclasses import replace

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway, Scene
from kit import processes
from kit.load import start_check
from kit.stage import GatewayFailed, Running, Stage

STREAMS = 20
STREAM_SECONDS = 5
CUT = ["truncated", "wrong-body", "timed-out"]


class Reload:
    name = "reload"
    about = (
        f"200 reloads in a minute, under 32 closed-loop connections and {STREAMS} streams of {STREAM_SECONDS} s each. "
        "Each configuration marks the request and the reply with its generation; an answer with two marks is mixed."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        header = [
            "gateway", "reloads", "answers by A", "answers by B", "failed", "mixed", "whole streams", "cut streams",
            "processes at most", "RSS at most MiB",
        ]  # fmt: skip
        outcome = Outcome(header)
        for gateway in [gateway for gateway in gateways if Scene.GENERATION in gateway.scenes]:
            try:
                row, remark = self.measure(stage, gateway, pace)
                outcome.rows.append([gateway.name, *row])
                outcome.remarks += remark
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
        return outcome

    def measure(self, stage: Stage, gateway: Gateway, pace: Pace) -> tuple[list[str], list[str]]:
        with stage.start(gateway, stage.work(scene=Scene.GENERATION)) as running:
            check = start_check(
                "run", "--target", f"127.0.0.1:{running.work.port}", "--seconds", pace.reload_seconds + 1,
                "--fast", 32, "--streams", STREAMS, "--stream-ms", STREAM_SECONDS * 1000,
            )  # fmt: skip
            crowd, resident = reload_often(running, pace)
            report = json.loads(check.communicate()[0])
        fast, streams = report["fast"], report["streams"]
        mixed = fast["failures"].get("mixed-generations", 0)
        # A stream that never began is a failed request; one that began and did not end as it should was cut.
        cut = sum(streams["failures"].get(kind, 0) for kind in CUT)
        unmarked = fast["answers"].get("none", 0)
        failed = fast["failed"] + streams["failed"] + unmarked - mixed - cut
        row = [
            f"{pace.reloads}", f"{fast['answers'].get('A', 0):,}", f"{fast['answers'].get('B', 0):,}",
            f"{failed:,}", f"{mixed:,}", f"{sum(streams['answers'].values())}",
            f"{cut}", f"{crowd}", f"{resident / 1024:.1f}",
        ]  # fmt: skip
        kinds = fast["failures"] | {f"stream {kind}": count for kind, count in streams["failures"].items()}
        if unmarked:
            kinds["without a generation"] = unmarked
        remark = [f"{gateway.name} failures: {kinds}"] if kinds else []
        return row, remark


def reload_often(running: Running, pace: Pace) -> tuple[int, int]:
    """Reloads at an even pace; gives the most processes and the most memory (KiB) seen on the way."""
    began, crowd, resident = time.monotonic(), 0, 0
    for number in range(pace.reloads):
        time.sleep(max(0, began + number * pace.reload_seconds / pace.reloads - time.monotonic()))
        if running.process.poll() is not None:
            raise GatewayFailed(f"{running.gateway.name}: died at reload {number}\n{running.last_words()}")
        running.write(replace(running.work, generation="BA"[number % 2]))
        running.reload()
        if number % 10 == 9:
            pids = running.pids()
            crowd, resident = max(crowd, len(pids)), max(resident, processes.resident_kib(pids))
    return crowd, resident
