"""The cases, by name."""

from cases.attack import Attack
from cases.hang import Hang
from cases.httpwg import Httpwg
from cases.idle import IDLE
from cases.pace import FULL, QUICK
from cases.reload import Reload
from cases.routes import Routes
from cases.slow_endpoint import SlowEndpoint
from cases.stop import Stop
from cases.throughput import THROUGHPUT

ALL = {
    case.name: case
    for case in [*THROUGHPUT, *IDLE, Routes(), Reload(), Stop(), Attack(), Httpwg(), SlowEndpoint(), Hang()]
}

__all__ = ["ALL", "FULL", "QUICK"]
