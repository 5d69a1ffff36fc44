"""Who is let in: this machine alone, unless a host and a password are set in the environment."""

import os
from dataclasses import dataclass, field
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from armt_core.errors import UsageError
from ingest.limits import ParseLimits

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Whom Gradio's form of user and password is answered with; there is one library for all.
USER = "recollect"


@dataclass(frozen=True)
class Door:
    """Where the page is served, and the password that is asked for (None: none)."""

    host: str
    password: str | None = field(repr=False)


def door(host: str | None = None) -> Door:
    """host: None for RECOLLECT_HOST, else 127.0.0.1. The password is RECOLLECT_PASSWORD.

    Raises UsageError for a host beyond this machine without a password.
    """
    host = host or os.environ.get("RECOLLECT_HOST") or LOOPBACK[0]
    password = os.environ.get("RECOLLECT_PASSWORD") or None
    if host not in LOOPBACK and password is None:
        raise UsageError(
            f"At {host} others could read this library. Set RECOLLECT_PASSWORD to serve it there, "
            f"or leave out --host and RECOLLECT_HOST."
        )
    return Door(host, password)


def launch_settings(at: Door) -> dict[str, Any]:
    """What `launch` needs for it; `middleware` for the application besides."""
    settings: dict[str, Any] = {
        "server_name": at.host,
        "share": False,
        "run_history": False,
        "max_file_size": ParseLimits().file_bytes,
        "middleware": [],
    }
    if at.password is not None:
        settings["auth"] = (USER, at.password)
        settings["auth_message"] = f"The user is {USER}."
    if at.host in LOOPBACK:
        # A page of the web may name itself anything and have that name lead to this machine.
        settings["middleware"].append(Middleware(TrustedHostMiddleware, list(LOOPBACK)))
    return settings
