"""TCP ports of 127.0.0.1."""

import socket

from schemas.errors import OperatorError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def port_is_busy(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1 (or of every address)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def require_port(port: int, what: str, choose: str) -> None:
    """Raise OperatorError naming the port, who wants it and how to choose another, if the port is busy."""
    if port_is_busy(port):
        raise OperatorError(
            f"Port {port} of {LOOPBACK}, wanted for {what}, is in use.",
            f"Stop what listens there, or choose another: {choose}",
        )
