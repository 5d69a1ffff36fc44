"""Who is let in: this machine without a password, others with one."""

import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ui.doors import USER, door, launch_settings
from armt_core.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("RECOLLECT_HOST", "RECOLLECT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_page_is_for_this_machine_alone(monkeypatch):
    assert (door().host, door().password) == ("127.0.0.1", None)
    assert door("localhost").host == "localhost"
    monkeypatch.setenv("RECOLLECT_HOST", "::1")
    assert door().host == "::1" and door("127.0.0.1").host == "127.0.0.1"
    settings = launch_settings(door())
    assert settings["share"] is False and settings["run_history"] is False
    assert "auth" not in settings and len(settings["middleware"]) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "recollect.example"])
def test_a_wider_host_needs_a_password(monkeypatch, host):
    with pytest.raises(UsageError, match="Set RECOLLECT_PASSWORD"):
        door(host)
    monkeypatch.setenv("RECOLLECT_HOST", host)
    with pytest.raises(UsageError, match=f"At {host} others could read"):
        door()
    monkeypatch.setenv("RECOLLECT_PASSWORD", "")
    with pytest.raises(UsageError):
        door()
    monkeypatch.setenv("RECOLLECT_PASSWORD", "heron")
    settings = launch_settings(door())
    assert settings["server_name"] == host and settings["auth"] == (USER, "heron")
    assert "heron" not in repr(door())


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    """`python app.py` at every address of this machine, with a password."""
    folder = tmp_path_factory.mktemp("behind")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RECOLLECT_HOST": "0.0.0.0", "RECOLLECT_PASSWORD": "heron"}
    command = [sys.executable, "app.py", "--port", str(port), "--library", str(folder / "library")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=environment)
    try:
        for _ in range(480):
            assert server.poll() is None, (folder / "log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                    break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def test_with_a_password_nothing_is_answered_before_it_is_given(served):
    ask = json.dumps({"data": ["Who?"]}).encode()
    for path, body in (
        ("config", None),
        ("gradio_api/info", None),
        ("gradio_api/run/documents", b'{"data": []}'),
        ("gradio_api/run/ask", ask),
    ):
        request = urllib.request.Request(
            served + path, data=body, headers={"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=10)


def test_with_the_password_the_page_and_the_api_answer(served):
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def login(password: str) -> int:
        form = urllib.parse.urlencode({"username": USER, "password": password}).encode()
        return int(browser.open(served + "login", data=form, timeout=10).status)

    with pytest.raises(urllib.error.HTTPError, match="400"):
        login("hereon")
    assert login("heron") == 200
    request = urllib.request.Request(
        served + "gradio_api/run/documents",
        data=b'{"data": []}',
        headers={"Content-Type": "application/json"},
    )
    with browser.open(request, timeout=30) as answer:
        assert json.loads(answer.read())["data"][0] is not None
