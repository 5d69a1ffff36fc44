"""How dropped files come in: none too large, and of one that is cut off nothing stays."""

import re
import shutil
import tempfile
from pathlib import Path, PureWindowsPath
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.limits import GIB, ParseLimits

_TAKES_FILES = re.compile(r"/gradio_api/(upload|process_recording)/?")


class Uploads:
    """Middleware: a request with files may have `most` bytes, and no more than the disk has room
    for. Gradio counts each file alone, and leaves the half of one whose sender has gone."""

    def __init__(self, app: ASGIApp, most: int = ParseLimits().file_bytes) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request; one that announces too much is refused with 413, one that a page of
        another site sends (browsers say so) with 403."""
        if scope["type"] != "http" or not _TAKES_FILES.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if Headers(scope=scope).get("sec-fetch-site") == "cross-site":
            said = "Files are taken from this page alone, not from other sites."
            await PlainTextResponse(said, status_code=403)(scope, receive, send)
            return
        most = min(self._most, shutil.disk_usage(tempfile.gettempdir()).free)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            refusal = PlainTextResponse(_too_large(most), status_code=413)
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            # Gradio removes the files of an upload that ends in this very error.
            nonlocal received
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MultiPartException("The upload was cut off; nothing of it is kept.")
            received += len(message.get("body", b""))
            if received > most:
                raise MultiPartException(_too_large(most))
            return message

        await self._app(scope, counted, send)


def _too_large(most: int) -> str:
    # Gradio makes 413 of an error with these words.
    return (
        f"The maximum allowed size of all files that are dropped at once is {most / GIB:.1f} GiB "
        "here. Drop fewer, or read them with: python -m ingest PATH"
    )


def as_paths(component: gr.File | gr.UploadButton) -> Any:
    """The same component, giving the paths of what came: Gradio's own way there leaves an empty
    temporary file for each. (A class of its own would have Gradio write a file beside it.)"""

    def paths(payload: ListFiles | FileData | None) -> list[str] | str | None:
        if isinstance(payload, FileData):
            return _named(payload)
        return None if payload is None else [_named(file) for file in payload.root]

    component.preprocess = paths
    return component


def _named(file: FileData) -> str:
    """The path of a file under the name that it had: Gradio takes signs out of it."""
    path = Path(file.path)
    name = PureWindowsPath((file.orig_name or "").replace("\0", "")).name
    if name in ("", ".", "..", path.name):
        return file.path
    try:
        return str(path.rename(path.with_name(name)))
    except (OSError, ValueError):  # too long, or with signs that this system does not take
        return file.path
