"""Files on their way in: cut off, too large, of a server that was killed; nothing of them stays."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from app.temporary import temporary_folder
from tests.serving import ROOT, serving

FORM = "multipart/form-data; boundary=XX"
HEAD = b'--XX\r\nContent-Disposition: form-data; name="files"; filename="half.txt"\r\n\r\n'
SECRET = b"The vault opens at nine. " * 4000


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[int, Path]]:
    """`python app.py`: its port, and the folder with its log and its temporary files."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tmp").mkdir()
    with serving(folder, environment={"TMPDIR": str(folder / "tmp")}) as port:
        yield port, folder
    assert not list((folder / "tmp").glob("recollect-*"))


def begun(port: int, announced: int) -> socket.socket:
    """An upload that says how many bytes it will have, and has sent its head."""
    sending = socket.create_connection(("127.0.0.1", port), timeout=20)
    sending.sendall(
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {announced}\r\n\r\n".encode()
    )
    return sending


def kept(folder: Path) -> list[Path]:
    return [p for p in (folder / "tmp").rglob("*") if p.is_file() and p.name != "lock"]


def test_of_an_upload_that_is_cut_off_nothing_stays_and_the_log_is_quiet(served):
    port, folder = served
    with begun(port, 100_000_000) as sending:
        sending.sendall(HEAD + SECRET * 20)
        for _ in range(40):
            if any(SECRET[:20] in file.read_bytes() for file in kept(folder)):
                break
            time.sleep(0.25)
        assert kept(folder)  # half of it is there
    for _ in range(40):
        if not kept(folder):
            break
        time.sleep(0.25)
    assert kept(folder) == []
    assert "Traceback" not in (folder / "log").read_text()


def test_an_upload_that_announces_too_much_is_refused_with_a_sentence_before_it_is_sent(served):
    port, folder = served
    with begun(port, 10_000_000_000) as sending:
        answer = HTTPResponse(sending)
        answer.begin()
        said = answer.read().decode()
    assert answer.status == 413 and "maximum allowed size of all files" in said
    assert kept(folder) == []


def test_files_that_a_page_of_another_site_sends_are_refused(served):
    port, folder = served
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sending:
        sending.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {FORM}"
            "\r\nOrigin: https://elsewhere.example\r\nSec-Fetch-Site: cross-site\r\n"
            "Content-Length: 100000\r\n\r\n".encode()
        )
        answer = HTTPResponse(sending)
        answer.begin()
        said = answer.read().decode()
    assert answer.status == 403 and "from this page alone" in said
    assert kept(folder) == []


def test_an_upload_that_only_turns_out_too_large_is_refused_on_the_way():
    import asyncio

    from starlette.formparsers import MultiPartException

    from app.ui.uploads import Uploads

    got = []

    async def app(scope, receive, send):
        while True:
            got.append(len((await receive())["body"]))

    async def receive():
        return {"type": "http.request", "body": b"x" * 400, "more_body": True}

    scope = {"type": "http", "path": "/gradio_api/upload", "headers": []}
    with pytest.raises(MultiPartException, match="maximum allowed size"):
        asyncio.run(Uploads(app, most=1000)(scope, receive, receive))
    assert got == [400, 400]


KEEPS = """
import time
from app.temporary import temporary_folder
from tests.serving import ROOT, serving
with temporary_folder() as folder:
    (folder / "half.txt").write_text("The vault opens at nine.")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_server_has_left_goes_at_the_next_start_and_a_living_one_keeps_its_own(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    servers = [
        subprocess.Popen(
            [sys.executable, "-c", KEEPS], cwd=ROOT, env=environment, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    foreign = tmp_path / "recollect-of-another-kind"
    foreign.mkdir()
    try:
        folders = [Path(server.stdout.readline().decode().strip()) for server in servers]
        servers[0].kill()
        servers[0].wait()
        assert (folders[0] / "half.txt").exists()
        with temporary_folder() as own:
            assert not folders[0].exists() and (folders[1] / "half.txt").exists()
            assert own.is_dir() and foreign.is_dir()
        assert not own.exists()
    finally:
        for server in servers:
            server.kill()
            server.wait()
            server.stdout.close()
