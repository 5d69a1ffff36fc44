"""Who is let in: this machine without a password, others with one."""

import asyncio
import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.ui import tries
from app.ui.doors import USER, LetIn, door, launch_settings
from app.ui.tries import Tries, whose
from armt_core.errors import UsageError
from tests.serving import serving


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("RECOLLECT_HOST", "RECOLLECT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def test_without_settings_the_page_is_for_this_machine_alone(monkeypatch):
    assert (door().host, door().password) == ("127.0.0.1", None)
    assert door("localhost").host == "localhost"
    monkeypatch.setenv("RECOLLECT_HOST", "localhost")
    assert door().host == "localhost" and door("127.0.0.1").host == "127.0.0.1"
    settings = launch_settings(door())
    assert settings["share"] is False and settings["run_history"] is False
    assert "auth" not in settings and len(settings["middleware"]) == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "127.0.0.2", "pc.example"])
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
    named = f"[{host}]" if ":" in host else host  # as an address of the web has it
    assert settings["server_name"] == door().name == door(named).name == named
    assert door(named).host == host and settings["auth"] == (USER, "heron")
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


class Clock:
    """Time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_a_few_wrong_tries_the_next_waits_longer_each_time_and_others_do_not():
    clock = Clock()
    counted = Tries(clock)
    waits = []
    for _ in range(14):
        waits.append(counted.wait("mine"))
        clock.now += waits[-1]
        assert counted.wait("mine") == counted.wait("yours") == 0
        counted.wrong("mine")
    assert waits == [*[0] * 5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now += 59.5
    assert counted.wait("mine") == 0.5
    clock.now += 3600
    counted.wrong("mine")
    assert counted.wait("mine") == 0  # begun anew
    for _ in range(4):
        counted.wrong("mine")
    assert counted.wait("mine") == 1
    counted.right("mine")
    assert counted.wait("mine") == 0


def test_no_more_addresses_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(tries, "ADDRESSES", 3)
    counted = Tries(Clock())
    for address in ("a", "b", "c", "d"):
        for _ in range(5):
            counted.wrong(address)
    assert [counted.wait(address) for address in "abcd"] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_a_host_or_all_that_one_customer_has(host, counted):
    assert whose(host) == counted


def test_wrong_passwords_are_slowed_down_at_the_form_and_as_bearers_and_logins_stay():
    clock = Clock()

    async def login(request: Request) -> Response:
        right = (await request.form())["password"] == "heron"
        return Response(status_code=200 if right else 400)

    routes = [Route("/login", login, methods=["POST"]), Route("/x", lambda _: Response("x"))]
    served = Starlette(routes=routes, middleware=[Middleware(LetIn, "heron", Tries(clock))])
    served.tokens, served.cookie_id, served.startup_events_triggered = {"t": USER}, "c", True
    mine, yours = (TestClient(served, client=(host, 1)) for host in ("192.0.2.1", "192.0.2.2"))

    def form(client: TestClient, password: str) -> int:
        return client.post("/login", data={"password": password}).status_code

    def bearer(client: TestClient, password: str) -> int:
        return client.get("/x", headers={"Authorization": f"Bearer {password}"}).status_code

    tried = [ask(mine, "egret") for ask in (form, bearer, form, bearer, form)]
    assert tried == [400, 401, 400, 401, 400]
    refused = mine.get("/x", headers={"Authorization": "Bearer heron"})
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "1"
    assert "Several wrong passwords" in refused.json()["error"]["message"]
    assert form(mine, "heron") == 400  # not looked at
    assert form(yours, "heron") == bearer(yours, "heron") == 200
    cookie = {"Cookie": "access-token-c=t"}
    assert mine.get("/x", headers=cookie).status_code == 200
    assert mine.get("/x").status_code == 401
    clock.now += 1
    assert form(mine, "heron") == 200
    assert [bearer(mine, "egret") for _ in range(6)] == [401] * 5 + [429]  # counted anew
    clock.now += 1
    assert bearer(mine, "heron") == 200


def test_the_page_asks_for_the_password_as_before_and_opens_to_the_right_one(served):
    with urllib.request.urlopen(served, timeout=10) as form:
        asked = form.read()
    assert b'"auth_required":true' in asked and b"Drop PDF" not in asked
    with bearing(served, f"Bearer {PASSWORD}") as page:
        assert b"Drop PDF" in page.read()
