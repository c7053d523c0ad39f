"""The gateways that can be measured, in the order in which they are shown."""

from gateways.caddy import Caddy
from gateways.envoy import Envoy
from gateways.haproxy import HAProxy
from gateways.menshen import Menshen
from gateways.nginx import Nginx

ALL = {gateway.name: gateway for gateway in [Menshen(), Nginx(), HAProxy(), Envoy(), Caddy()]}
