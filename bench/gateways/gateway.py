"""What the kit has to know about a gateway."""

import enum
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path


class Scene(enum.Enum):
    """What a gateway is configured to do."""

    PLAIN = "every path goes to the origin"
    FEATURES = "the same, with an access log, metrics and five plain filters"
    GENERATION = "requests and replies carry the generation of the configuration that handled them"
    BALANCE = "every path goes to one of several endpoints"
    HANG = "the paths below /delay/ go to a service that does not answer within the second that it has"
    ROUTES = "many routes /r/0, /r/1 and so on; the replies of the last one carry the generation"


class Method(enum.Enum):
    """Which endpoint gets the next request."""

    ROUND_ROBIN = "one after the other"
    LEAST_REQUESTS = "who has fewest requests under way"
    PEAK_EWMA = "who will answer first, by its latency"


class Front(enum.Enum):
    """What clients speak to a gateway."""

    HTTP1 = "HTTP/1.1 in the clear"
    TLS = "TLS 1.3, and in it HTTP/2 or HTTP/1.1, whichever the client asks for"
    H2C = "HTTP/2 in the clear"


class Upstream(enum.Enum):
    """What a gateway speaks to the service behind it."""

    HTTP1 = "HTTP/1.1"
    GRPC = "gRPC: HTTP/2 in the clear"
    WEBSOCKET = "HTTP/1.1, then WebSocket"


@dataclass(frozen=True)
class Identity:
    """The certificate that every gateway shows, in PEM."""

    chain: Path
    key: Path
    both: Path


@dataclass(frozen=True)
class Work:
    """One configuration to make."""

    port: int
    admin_port: int
    origin_port: int
    scene: Scene = Scene.PLAIN
    generation: str = "A"
    routes: int = 0
    front: Front = Front.HTTP1
    upstream: Upstream = Upstream.HTTP1
    identity: Identity | None = None
    endpoint_ports: tuple[int, ...] = ()
    hanging_port: int = 0
    method: Method = Method.ROUND_ROBIN

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.front is Front.TLS else 'http'}://{self.address}"

    @property
    def probe(self) -> str:
        """A path that is answered once the gateway is ready."""
        return f"/r/{self.routes - 1}/x" if self.scene is Scene.ROUTES else "/s"


class Gateway:
    """One gateway; the subclasses say how it is found, configured and run."""

    name: str
    advice = "bench/setup installs it"
    scenes = frozenset({Scene.PLAIN})
    # What each way to balance is called there.
    methods: dict[Method, str] = {}
    # The signals for "read your files again" and "finish what you have begun, then go".
    reload_signal = signal.SIGHUP
    stop_signal = signal.SIGTERM

    def executable(self) -> Path | None:
        raise NotImplementedError

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        """The configuration files by name."""
        raise NotImplementedError

    def command(self, work: Work, folder: Path) -> list:
        raise NotImplementedError

    def environment(self, folder: Path) -> dict[str, str]:
        return {}

    version_arguments = ["--version"]

    def version(self) -> str:
        command = [str(self.executable()), *self.version_arguments]
        said = subprocess.run(command, capture_output=True, text=True)
        found = re.search(r"\d+\.\d+(\.\d+)?([-+~.][\w.+-]+)?", said.stdout + said.stderr)
        return found.group(0) if found else "unknown version"
