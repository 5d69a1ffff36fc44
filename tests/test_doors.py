"""Who is let in: this machine without a password, others with one."""

import asyncio
import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from app.ui.doors import USER, door, launch_settings
from armt_core.errors import UsageError
from tests.serving import serving


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
    assert "auth" not in settings and len(settings["middleware"]) == 2


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


#: Not ASCII: a header then holds its UTF-8.
PASSWORD = "grauer Reiher ö"


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[str]:
    """`python app.py` at every address of this machine, with a password."""
    folder = tmp_path_factory.mktemp("behind")
    environment = {"RECOLLECT_HOST": "0.0.0.0", "RECOLLECT_PASSWORD": PASSWORD}
    with serving(folder, "--mcp", environment=environment) as port:
        yield f"http://127.0.0.1:{port}/"


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
MCP = json.dumps({**CALL, "params": {"name": "documents", "arguments": {}}}).encode()
TYPES = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("config", None),
        ("gradio_api/info", None),
        ("gradio_api/run/documents", b'{"data": []}'),
        ("gradio_api/run/ask", b'{"data": ["Who?"]}'),
        ("gradio_api/mcp/", MCP),
        ("gradio_api/mcp", MCP),
        ("gradio_api/mcp/schema", None),
        ("gradio_api/mcp/sse", None),
        ("gradio_api/heartbeat/mine", None),
        ("gradio_api/startup-events", None),
        ("gradio_api/file=/tmp/x.safetensors", None),
        ("gradio_api/upload", b"x"),
        ("gradio_api/login_check", None),
        ("no/such/page", None),
    ],
)
def test_with_a_password_nothing_is_answered_before_it_is_given(served, path, body):
    request = urllib.request.Request(served + path, data=body, headers=TYPES)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_a_cookie_that_no_login_gave_opens_nothing(served):
    with urllib.request.urlopen(served + "theme.css", timeout=10) as css:
        assert css.status == 200  # the form has its style
    request = urllib.request.Request(served + "gradio_api/mcp/", data=MCP, headers=TYPES)
    request.add_header("Cookie", "access-token-x=y; access-token-unsecure-x=None")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)


def test_with_the_password_the_page_the_api_and_mcp_answer(served):
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def login(password: str) -> int:
        form = urllib.parse.urlencode({"username": USER, "password": password}).encode()
        return int(browser.open(served + "login", data=form, timeout=10).status)

    with pytest.raises(urllib.error.HTTPError, match="400"):
        login("grauer Reiher o")
    assert login(PASSWORD) == 200
    for path, body in (("run/documents", b'{"data": []}'), ("mcp/", MCP)):
        request = urllib.request.Request(served + f"gradio_api/{path}", data=body, headers=TYPES)
        with browser.open(request, timeout=30) as answer:
            assert b"documents" in answer.read()


def bearing(path: str, authorization: str | bytes, body: bytes | None = None):
    """A request with this header, and what else an API client sends."""
    header = authorization.encode() if isinstance(authorization, str) else authorization
    request = urllib.request.Request(path, data=body, headers=TYPES)
    request.add_header("Authorization", header.decode("latin-1"))  # how urllib takes bytes
    return urllib.request.urlopen(request, timeout=30)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("gradio_api/run/documents", b'{"data": []}', b'"documents":[]'),
        ("gradio_api/call/documents", b'{"data": []}', b"event_id"),
        ("gradio_api/mcp/", MCP, b"documents"),
        ("gradio_api/info", None, b"/search"),
        ("config", None, b"Recollect"),
    ],
)
def test_the_password_as_a_bearer_opens_the_api_and_mcp_and_no_other_does(served, path, body, said):
    for scheme in ("Bearer", "bearer"):
        with bearing(served + path, f"{scheme} {PASSWORD}", body) as answer:
            assert said in answer.read()
    wrong = ("", "Bearer", "Bearer ", "Bearer grauer Reiher", f"Bearer {PASSWORD}x", PASSWORD)
    for given in (*wrong, f"Basic {PASSWORD}", b"Bearer grauer Reiher \xf6"):
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            bearing(served + path, given, body)
        assert b"Authorization: Bearer PASSWORD" in refused.value.read()
        assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_clients_of_gradio_and_mcp_that_send_the_password_are_answered(served):
    from gradio_client import Client
    from mcp import ClientSession
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

    header = {"Authorization": f"Bearer {PASSWORD}".encode()}
    client = Client(served, headers=header, verbose=False)
    assert client.predict(api_name="/documents") == {"documents": []}

    async def talk() -> str:
        address = f"{served}gradio_api/mcp/"
        async with (
            create_mcp_http_client(headers=header) as sending,
            streamable_http_client(address, http_client=sending) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            return (await session.call_tool("documents", {})).content[0].text

    assert json.loads(asyncio.run(talk())) == {"documents": []}


def test_the_page_asks_for_the_password_as_before_and_opens_to_the_right_one(served):
    with urllib.request.urlopen(served, timeout=10) as form:
        asked = form.read()
    assert b'"auth_required":true' in asked and b"Drop PDF" not in asked
    with bearing(served, f"Bearer {PASSWORD}") as page:
        assert b"Drop PDF" in page.read()
