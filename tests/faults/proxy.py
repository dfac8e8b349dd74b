"""The conformance kit's proxy, which the fault tests put before PostgreSQL."""

from nave.connectors.conformance.proxy import Fault, Proxy, proxied

__all__ = ["Fault", "Proxy", "proxied"]
