"""Who is let in: this machine alone, unless a host and a password are set in the environment."""

import math
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.as_json import error_json
from app.ui.tries import Tries, whose
from app.ui.uploads import Uploads
from armt_core.errors import UsageError
from ingest.limits import ParseLimits

#: Without ::1: there Gradio lets any page of the web read its answers (its check of origins knows
#: these two alone).
LOOPBACK = ("127.0.0.1", "localhost")
#: Whom Gradio's form of user and password is answered with; there is one library for all.
USER = "recollect"
#: What the form that asks for the password is made of: it says nothing of the library.
_FORM = re.compile(
    r"GET (/|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static|svelte)/.+)|HEAD /"
    r"|POST /login/?"
)
#: What the form says, which calls any password that it did not take a wrong one.
WAITS = (
    "After several wrong passwords the next is looked at only after a while, up to a minute, and a "
    "right one that comes sooner is refused, too."
)
_STARTED = "/gradio_api/startup-events"


@dataclass(frozen=True)
class Door:
    """Where the page is served, and the password that is asked for (None: none)."""

    host: str
    password: str | None = field(repr=False)

    @property
    def name(self) -> str:
        """The host as an address of the web has it: one of IPv6 stands in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host


def door(host: str | None = None) -> Door:
    """host: None for RECOLLECT_HOST, else 127.0.0.1. The password is RECOLLECT_PASSWORD.

    Raises UsageError for a host that is not among LOOPBACK without a password.
    """
    host = (host or os.environ.get("RECOLLECT_HOST") or LOOPBACK[0]).strip("[]")
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
        "server_name": at.name,
        "share": False,
        "run_history": False,
        "max_file_size": ParseLimits().file_bytes,
        "middleware": [Middleware(Uploads)],
    }
    if at.password is not None:
        settings["middleware"].insert(0, Middleware(LetIn, at.password))
        settings["auth"] = (USER, at.password)
        settings["auth_message"] = f"The user is {USER}. {WAITS}"
    if at.host in LOOPBACK:
        # A page of the web may name itself anything and have that name lead to this machine.
        settings["middleware"].insert(0, Middleware(TrustedHostMiddleware, list(LOOPBACK)))
    return settings


class LetIn:
    """Middleware: who has neither logged in nor sends the password as `Authorization: Bearer` gets
    the form that asks for it, nothing else.

    Gradio asks for the login route by route, and some of its routes do not ask: those of MCP
    among them. So it is asked for here, before any route. An address that gave wrong passwords has
    to wait before the next one is looked at, at the form and here (app.ui.tries).
    """

    def __init__(self, app: ASGIApp, password: str, tries: Tries | None = None) -> None:
        self._app, self._password = app, password.encode()
        self._token = secrets.token_urlsafe(16)
        self._tries = tries or Tries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it: with 401, and with 429 a password that came too soon (at
        the form with 400, which is what it tells of)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        address, given = whose((scope.get("client") or ("",))[0]), _bearer(scope)
        form = scope.get("method") == "POST" and scope["path"].rstrip("/") == "/login"
        wait = math.ceil(self._tries.wait(address)) if given or form else 0
        if wait:
            said = UsageError(
                f"Several wrong passwords came from this address: the next one is looked at in "
                f"{wait} s."
            )
            headers = {"Retry-After": str(wait)}
            refusal = JSONResponse(error_json(said), 400 if form else 429, headers)
            await refusal(scope, receive, send)
            return
        # As bytes: text that is not ASCII cannot be compared in constant time.
        if given and secrets.compare_digest(given, self._password):
            self._tries.right(address)
            await self._app(self._logged_in(scope), receive, send)
            return
        if given or form:
            self._tries.wrong(address)  # until the form has said otherwise
        if form:
            await self._app(scope, receive, self._watched(send, address))
        elif self._may(HTTPConnection(scope)):
            await self._app(scope, receive, send)
        else:
            said = UsageError("Log in first, or send the password: Authorization: Bearer PASSWORD")
            refusal = JSONResponse(error_json(said), 401, {"WWW-Authenticate": "Bearer"})
            await refusal(scope, receive, send)

    def _watched(self, send: Send, address: str) -> Send:
        """`send` of a login: what it answers tells whether the password was right."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                self._tries.right(address)
            await send(message)

        return watched

    def _logged_in(self, scope: Scope) -> Scope:
        """The request as it would come after a login, so that Gradio's own routes serve it too."""
        gradio = scope["app"]
        gradio.tokens[self._token] = USER
        cookie = f"access-token-{gradio.cookie_id}={self._token}".encode()
        others = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        return {**scope, "headers": [*others, (b"cookie", cookie)]}

    def _may(self, asked: HTTPConnection) -> bool:
        """Whether it is for the form, or comes with what a login has left in the browser."""
        gradio = asked.app
        if _FORM.fullmatch(f"{asked.scope.get('method')} {asked.scope['path']}"):
            return True
        if asked.scope["path"] == _STARTED and not gradio.startup_events_triggered:
            return True  # `launch` calls it itself, once, before it says that it serves
        kinds = ("access-token", "access-token-unsecure")
        given = (asked.cookies.get(f"{kind}-{gradio.cookie_id}") for kind in kinds)
        return any(token in gradio.tokens for token in given)


def _bearer(scope: Scope) -> bytes:
    """The password that a request sends as a bearer; empty for none."""
    given = dict(scope["headers"]).get(b"authorization", b"")
    kind, _, password = given.partition(b" ")
    return password if kind.lower() == b"bearer" else b""
