"""`documents`, `search` and `ask` over HTTP and as MCP tools (docs/api.md).

These three only read. What the page itself does, it does by its own events: they are asked for by
number from within the page, and here a guard keeps them from being called by name.
"""

import dataclasses
import functools
import importlib.util
import json
import re
from collections.abc import Callable
from typing import Any, Literal

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.answering import PASSAGES
from app.as_json import answer_json, document_json, error_json, passages_json
from app.requests import check_length, check_request
from app.service import Service
from armt_core.errors import RecollectError, UsageError

NAMES = ("documents", "search", "ask")
#: What brings MCP (the extra `mcp` in pyproject.toml).
MCP_PACKAGE = "mcp==1.30.0"
#: Most passages that one call may ask for.
MOST_PASSAGES = 50

#: Most bytes of a request by name: a question and the names of eight documents fit.
MOST_BODY = 1_000_000
_ASKED = {"question": None, "documents": None, "as_of_page": None}
#: What each function takes, in order; null where there is no default.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "documents": {},
    "search": {**_ASKED, "k": 10, "memory": "final", "method": "hybrid"},
    "ask": {**_ASKED, "k": PASSAGES, "memory": "final"},
}

_BY_NAME = re.compile(r"/gradio_api/(?:call/v2|call|run|api)/+([^/]+)")


def add(page: gr.Blocks, service: Service) -> None:
    """Adds the three to a page that is built."""

    @_as_json
    def documents() -> dict:
        """Lists the documents of the library: id, title, state and reason, pages, tokens.

        Returns:
            {"documents": [...]}
        """
        found = [document_json(document, service.model) for document in service.documents()]
        return {"documents": [{k: v for k, v in d.items() if k != "paths"} for d in found]}

    @_as_json
    def search(
        question: str,
        documents: list[str] | None = None,
        as_of_page: int | None = None,
        k: int = 10,
        memory: Literal["final", "empty"] = "final",
        method: Literal["hybrid", "words", "vectors"] = "hybrid",
    ) -> dict:
        """Finds the passages of the documents that fit a question best, with their pages.

        Args:
            question: What to look for.
            documents: Ids or titles of at most 8 documents. Null: all.
            as_of_page: The last page that counts, counted from 0. Null: all pages.
            k: How many passages, at most 50.
            memory: "empty" reads nothing from the memory, for comparison.
            method: "words" and "vectors" are the two halves of "hybrid".

        Returns:
            {"passages": [...]}, the best first
        """
        request = _checked(question, documents, as_of_page, k, memory)
        return passages_json(service.answerer.search(**request, method=method))

    @_as_json
    def ask(
        question: str,
        documents: list[str] | None = None,
        as_of_page: int | None = None,
        k: int = 5,
        memory: Literal["final", "empty"] = "final",
    ) -> dict:
        """Answers a question about the documents, with exact quotes and their pages.

        Says that nothing was found rather than guess: "source" is then "none".

        Args:
            question: What to answer.
            documents: Ids or titles of at most 8 documents. Null: all.
            as_of_page: The last page that counts, counted from 0. Null: all pages.
            k: How many passages are read for the answer, at most 50.
            memory: "empty" reads nothing from the memory, for comparison.

        Returns:
            {"answer", "found", "source", "confidence", "citations", "memory_answer", ...}
        """
        return answer_json(
            service.answerer.ask(**_checked(question, documents, as_of_page, k, memory))
        )

    with page:
        for function in (documents, search, ask):
            # Not queued: so that one POST to /run gives the answer. The answerer takes its turns.
            gr.api(function, api_name=function.__name__, queue=False)
    # All else is queued, and what is queued cannot be run directly.
    page.queue(api_open=False)


def launch_settings(mcp: bool = False) -> dict[str, Any]:
    """What `launch` needs for the API, and `middleware` for the application.

    mcp: whether MCP is served, too. Raises UsageError if its package is not installed.
    """
    if mcp and importlib.util.find_spec("mcp") is None:
        raise UsageError(
            f"MCP needs a package that is not installed: python -m pip install {MCP_PACKAGE}"
        )
    return {"mcp_server": mcp, "middleware": [Middleware(OnlyThese), Middleware(WholeRequests)]}


class OnlyThese:
    """Middleware: of all functions that Gradio would call by name, only NAMES can be called.

    Events of the page are private, which hides them from lists and clients; but each has a name,
    and a request that guesses it would be served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request, or refuses it with 404."""
        named = _BY_NAME.search(scope["path"]) if scope["type"] == "http" else None
        if named is None or named[1] in NAMES:
            await self._app(scope, receive, send)
            return
        message = f"There is no function {named[1]!r}; there are {', '.join(NAMES)}."
        refusal = JSONResponse(error_json(UsageError(message)), status_code=404)
        await refusal(scope, receive, send)


class WholeRequests:
    """Middleware: a call by name is JSON and has all its arguments, or is refused with a sentence;
    Gradio would refuse it with status 500 and nothing said. What is wrong with an argument, the
    function itself says.

    In one step the refusal is a value, in two it is the answer to the first, with status 400.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request; arguments that are left out take their defaults."""
        named = _BY_NAME.search(scope["path"]) if scope["type"] == "http" else None
        if named is None or named[1] not in NAMES or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        by_name = "/call/v2/" in scope["path"]
        try:
            body = _completed(await _body(receive), named[1], by_name)
        except UsageError as error:
            value = error_json(error)
            two_steps = "/call/" in scope["path"]
            refusal = (
                JSONResponse(value, status_code=400)
                if two_steps
                else JSONResponse({"data": [value]})
            )
            await refusal(scope, receive, send)
            return
        headers = [(k, v) for k, v in scope["headers"] if k.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        sent = False

        async def whole() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app({**scope, "headers": headers}, whole, send)


async def _body(receive: Receive) -> bytes:
    """All of a request's body. Raises UsageError for one that is too large."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            raise UsageError(f"A request may have {MOST_BODY:,} bytes.")
        if not message.get("more_body"):
            return body


def _completed(body: bytes, name: str, by_name: bool) -> bytes:
    """The request with all arguments of `name`. Raises UsageError for what is none."""
    try:
        request = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The request is no JSON: {error}.") from error
    if not isinstance(request, dict):
        raise UsageError("The request is no JSON object.")
    defaults = _DEFAULTS[name]
    if by_name:
        return json.dumps({**defaults, **request}).encode()
    given = request.get("data")
    if not isinstance(given, list):
        raise UsageError(f'"data" must be a list of: {", ".join(defaults) or "nothing"}.')
    left_out = [*defaults.values()][len(given) :]
    return json.dumps({**request, "data": [*given, *left_out]}).encode()


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _checked(
    question: str, documents: list[str] | None, as_of_page: int | None, k: int, memory: str
) -> dict[str, Any]:
    """The arguments as a request, of the right types and not too large. Raises UsageError."""
    request = {
        "question": question,
        "documents": documents,
        "as_of_page": as_of_page,
        "k": k,
        "memory": memory,
    }
    check_request(request)
    if k > MOST_PASSAGES:
        raise UsageError(f"k may be at most {MOST_PASSAGES}, not {k}.")
    check_length(question)
    return request


def _as_json(function: Callable[..., dict]) -> Callable[..., Any]:
    """What the function returns as JSON; an expected error is the answer, as on the command line,
    and any other is Gradio's to report."""

    @functools.wraps(function)
    def answered(*arguments: Any, **named: Any) -> Any:
        try:
            return _reply(function(*arguments, **named))
        except RecollectError as error:
            return _reply(error_json(error))

    return answered


def _reply(value: dict[str, Any]) -> Any:
    """A record with these fields, which is JSON over HTTP and as text.

    Gradio gives MCP the text of what a function returns, and that of a dict is Python.
    """
    said = {"__str__": lambda _: json.dumps(value, ensure_ascii=False)}
    return dataclasses.make_dataclass("Reply", value, namespace=said)(**value)
