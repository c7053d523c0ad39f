"""What the figures were measured on."""

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kit.places import ROOT


def describe(gateways) -> str:
    lines = [
        f"- date: {datetime.date.today().isoformat()}",
        f"- machine: {cpu_model()}, {os.cpu_count()} cores, {memory_gib()} GiB, {virtualization()}",
        f"- kernel: {platform.system()} {platform.release()}",
        f"- source: {commit()}",
        *(f"- {gateway.name}: {gateway.version()}" for gateway in gateways),
    ]
    return "\n".join(lines)


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown CPU"


def memory_gib() -> int:
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return round(int(total.split()[1]) / 2**20)


def virtualization() -> str:
    virtual = "hypervisor" in Path("/proc/cpuinfo").read_text()
    return "virtual machine" if virtual else "bare metal"


def commit() -> str:
    """The commit, and whether the tree differs from it."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if head.returncode != 0:
        return "not committed"
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    return head.stdout.strip() + (" with changes" if status.stdout.strip() else "")


@dataclass(frozen=True)
class Ticks:
    """CPU ticks of all cores since boot."""

    busy: int
    stolen: int
    total: int

    def __sub__(self, other: "Ticks") -> "Ticks":
        return Ticks(self.busy - other.busy, self.stolen - other.stolen, self.total - other.total)


def ticks() -> Ticks:
    """Time that programs and the kernel used, that the hypervisor gave to others, and all of it."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    busy = user + nice + system + interrupts + soft_interrupts
    return Ticks(busy, stolen, busy + idle + waiting + stolen)
