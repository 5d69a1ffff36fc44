"""The API: three functions over HTTP and MCP that read, and nothing else that can be called."""

import asyncio
import importlib.util
import json
import os
import re
import runpy
import socket
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # as app.py does, before Gradio is imported

from app.answering import Answerer
from app.as_json import answer_json, document_json, passages_json
from app.service import Service
from app.ui import api
from app.ui.doors import door
from app.ui.page import build, launch_settings
from armt_core.errors import UsageError
from ingest.pipeline import ingest_paths
from storage.library import Library
from tests.fakes import CALIBRATION

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "The lighthouse on Vessel Rock is kept by Henrike Aalto.",
    "The ferry leaves for Tarn Island at twenty past seven.",
)
QUESTION = "When does the ferry leave for Tarn Island?"


@pytest.fixture(scope="module")
def service(tmp_path_factory, reader):
    folder = tmp_path_factory.mktemp("api")
    (folder / "island.txt").write_text("\f".join(PAGES), encoding="utf-8")
    with Library(folder / "library") as library:
        list(ingest_paths([folder / "island.txt"], library, reader))
        with Service(Answerer(library, reader, CALIBRATION)) as service:
            yield service


@pytest.fixture(scope="module")
def page(service):
    """The page, served with its API and MCP until the module ends."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    page = build(service)
    page.launch(
        prevent_thread_lock=True,
        server_port=port,
        quiet=True,
        **launch_settings(door(), mcp=True),
    )
    yield page
    page.close()


def fetch(page, path: str, body: Any = None) -> tuple[int, str]:
    """The status and the text of an answer; a body makes it a POST of JSON."""
    request = urllib.request.Request(
        f"{page.local_url.rstrip('/')}/gradio_api/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def run(page, name: str, *data: Any) -> dict:
    """In one step: all arguments, in their order."""
    status, text = fetch(page, f"run/{name}", {"data": data})
    assert status == 200, text
    (value,) = json.loads(text)["data"]
    return value


def call(page, name: str, **named: Any) -> dict:
    """In two steps: the arguments by name, and then the event with the answer."""
    status, text = fetch(page, f"call/v2/{name}", named)
    assert status == 200, text
    _, text = fetch(page, f"call/{name}/{json.loads(text)['event_id']}")
    assert text.startswith("event: complete\n")
    (value,) = json.loads(text.split("data: ", 1)[1])
    return value


def untimed(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key != "timings_ms"}


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_documents_are_those_of_the_library_without_the_paths_of_this_machine(page, service):
    (stored,) = service.documents()
    wanted = document_json(stored, service.model)
    del wanted["paths"]
    assert run(page, "documents") == call(page, "documents") == {"documents": [wanted]}


def test_search_and_ask_give_what_the_service_gives(page, service):
    found = plain(passages_json(service.answerer.search(QUESTION, k=2)))
    assert call(page, "search", question=QUESTION, k=2) == found
    assert run(page, "search", QUESTION, None, None, 2, "final", "hybrid") == found
    answer = plain(untimed(answer_json(service.answerer.ask(QUESTION))))
    assert answer["answer"] == PAGES[1] and answer["citations"][0]["page"] == 1
    assert untimed(call(page, "ask", question=QUESTION)) == answer
    assert untimed(run(page, "ask", QUESTION, None, None, 5, "final")) == answer


def test_documents_page_method_and_memory_reach_the_service(page):
    (document,) = run(page, "documents")["documents"]
    early = call(page, "search", question=QUESTION, documents=["Island"], as_of_page=0)
    assert [p["page"] for p in early["passages"]] == [0]
    by_id = call(
        page, "search", question="ferry", documents=[document["document_id"]], method="words"
    )
    assert [p["text"] for p in by_id["passages"]] == [PAGES[1]]
    emptied = call(page, "ask", question=QUESTION, memory="empty", k=1)
    assert len(emptied["citations"]) == 1 and emptied["answer"] == PAGES[1]


@pytest.mark.parametrize(
    ("named", "code", "said"),
    [
        ({"question": " "}, "usage", "question is empty"),
        ({"question": QUESTION, "documents": ["mainland"]}, "unknown_document", "'mainland'"),
        ({"question": QUESTION, "documents": "island"}, "usage", "'documents' has the wrong type"),
        ({"question": 7}, "usage", "'question' has the wrong type"),
        ({"question": QUESTION, "k": None}, "usage", "'k' has the wrong type"),
        ({"question": QUESTION, "k": 0}, "usage", "k must be at least 1"),
        ({"question": QUESTION, "k": 51}, "usage", "k may be at most 50"),
        ({"question": "a " * 2001}, "usage", "may have 4,000 characters; this one has 4,002"),
        ({"question": QUESTION, "memory": "half"}, "usage", 'memory must be "final"'),
        ({"question": QUESTION, "as_of_page": 2, "documents": ["island"]}, "usage", "pages 0 to 1"),
    ],
)
def test_an_error_is_an_answer_with_a_code_and_words(page, named, code, said):
    for name in ("ask", "search"):
        value = call(page, name, **named)
        assert set(value) == {"error"} and value["error"]["code"] == code
        assert said in value["error"]["message"]
    assert call(page, "search", question=QUESTION, method="luck")["error"]["code"] == "usage"


def test_an_empty_library_is_an_error_to_ask_and_none_to_list(tmp_path, reader):
    with Library(tmp_path) as library, Service(Answerer(library, reader, CALIBRATION)) as empty:
        functions = {fn.api_name: fn.fn for fn in build(empty).fns.values()}
        assert json.loads(str(functions["documents"]())) == {"documents": []}
        said = json.loads(str(functions["ask"]("Who?")))
        assert said["error"]["code"] == "empty_library"


def test_gradio_lists_the_three_and_nothing_else(page):
    for path in ("info", "info?all_endpoints=true"):
        listed = json.loads(fetch(page, path)[1])
        assert set(listed["named_endpoints"]) == {f"/{name}" for name in api.NAMES}
        assert listed["unnamed_endpoints"] == {}
    paths = json.loads(fetch(page, "openapi.json")[1])["paths"]
    called = {m[1] for path in paths if (m := re.search(r"/call/(?:v2/)?([^/]+)", path))}
    assert called == {*api.NAMES}
    # Besides, Gradio's own: a file for the page, which stays outside the library.
    assert [path for path in paths if "/call/" not in path] == ["/gradio_api/upload"]
    described = json.loads(fetch(page, "info")[1])["named_endpoints"]["/ask"]
    assert described["description"].startswith("Answers a question about the documents")
    assert [p["parameter_name"] for p in described["parameters"]] == [
        "question", "documents", "as_of_page", "k", "memory",
    ]  # fmt: skip


def test_what_the_page_does_is_private_and_cannot_be_called_by_name_or_run_by_number(
    page, service, tmp_path
):
    public = {fn.api_name for fn in page.fns.values() if fn.api_visibility != "private"}
    assert public == {*api.NAMES}
    private = [fn for fn in page.fns.values() if fn.api_name not in api.NAMES]
    assert {"_take", "_respond", "_remove"} <= {fn.api_name for fn in private}
    (tmp_path / "sneaked.txt").write_text("Sneaked in.", encoding="utf-8")
    file = {"path": str(tmp_path / "sneaked.txt"), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [[file]], "paths": [file], "session_hash": "mine"}
    before = service.documents()
    for fn in private:
        script = fn.fn is None  # of the browser alone: there is nothing here to run
        assert script or fn.queue is not False
        for route in ("run", "api", "call", "call/v2", "run/", "call/"):
            status, text = fetch(page, f"{route}/{fn.api_name}", body)
            assert status == 404 and json.loads(text)["error"]["code"] == "usage", (route, text)
        for route in ("run/ask", "api/documents"):
            status, text = fetch(page, route, {**body, "fn_index": fn._id})
            refused = status == 404 and "does not accept direct HTTP POST requests" in text
            assert status == 500 if script else refused
    assert service.documents() == before


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("run/search", b'{"data": []}', "'question' has the wrong type: None"),
        ("run/ask", b'{"data": [null]}', "'question' has the wrong type: None"),
        ("run/ask", b'{"data": ["Who?", null, null, NaN]}', "NaN is no number of JSON"),
        ("run/ask", b'{"data": NaN}', "no JSON"),
        ("run/ask", b"{", "no JSON"),
        ("run/ask", b"[1]", "no JSON object"),
        ("run/ask", b"[" * 100_000, "no JSON"),
        ("run/ask", b'{"data": "Who?"}', '"data" must be a list of: question, documents'),
        ("api/ask", b'{"data": ["Who?", null, null, "5"]}', "'k' has the wrong type"),
        ("run/ask", b'{"data": ["Who?", null, null, 5, "full"]}', 'memory must be "final"'),
        ("run/search", b'{"data": ["Who?", null, null, 5, "final", "x"]}', "method must be one of"),
        ("run/ask", b" " * 1_000_001, "1,000,000 bytes"),
        ("call/v2/ask", b'{"question": "Who?", "k": NaN}', "NaN is no number of JSON"),
        ("call/ask", b'{"data": 7}', '"data" must be a list'),
    ],
)
def test_what_is_no_request_is_answered_with_a_sentence(page, path, body, told):
    request = urllib.request.Request(
        f"{page.local_url.rstrip('/')}/gradio_api/{path}",
        body,
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, (value,) = answer.status, json.loads(answer.read())["data"]
    except urllib.error.HTTPError as error:
        status, value = error.code, json.loads(error.read())
    assert status == (400 if "call" in path else 200)
    assert value["error"]["code"] == "usage" and told in value["error"]["message"]


def test_arguments_that_are_left_out_take_their_defaults(page):
    assert "'question' has the wrong type: None" in call(page, "ask", k=3)["error"]["message"]
    assert run(page, "search", QUESTION) == call(page, "search", question=QUESTION)
    defaults = {"documents": None, "as_of_page": None, "memory": "final"}
    for name, function in (("ask", 5), ("search", 10)):
        known = api._DEFAULTS[name]
        assert {k: known[k] for k in defaults} == defaults and known["k"] == function


def mcp(page, *calls: tuple[str, dict]) -> tuple[list[Any], list[Any]]:
    """The tools that an MCP client is offered, and what each call gives."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def talk() -> tuple[list[Any], list[Any]]:
        address = f"{page.local_url}gradio_api/mcp/"
        async with (
            streamable_http_client(address) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            assert (await session.list_resources()).resources == []
            return tools, [await session.call_tool(name, given) for name, given in calls]

    return asyncio.run(talk())


def test_the_three_are_mcp_tools_that_answer_in_json(page, service):
    tools, (documents, search, ask, unknown, private) = mcp(
        page,
        ("documents", {}),
        ("search", {"question": QUESTION, "k": 1}),
        ("ask", {"question": QUESTION}),
        ("ask", {"question": QUESTION, "documents": ["mainland"]}),
        ("add", {"paths": ["/etc/hostname"]}),
    )
    assert [tool.name for tool in tools] == list(api.NAMES)
    assert all(tool.description for tool in tools)
    asked = tools[2].inputSchema
    assert asked["required"] == ["question"]
    assert "at most 8 documents" in asked["properties"]["documents"]["description"]
    (stored,) = json.loads(documents.content[0].text)["documents"]
    assert stored["document_id"] == service.documents()[0].id
    assert [p["page"] for p in json.loads(search.content[0].text)["passages"]] == [1]
    assert json.loads(ask.content[0].text)["answer"] == PAGES[1]
    assert json.loads(unknown.content[0].text)["error"]["code"] == "unknown_document"
    assert private.isError and "Unknown tool" in private.content[0].text


def test_mcp_is_served_only_when_it_is_asked_for_which_says_how_to_get_its_package(
    monkeypatch, tmp_path, capsys
):
    assert launch_settings(door())["mcp_server"] is False
    assert launch_settings(door(), mcp=True)["mcp_server"] is True
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mcp" else real(name)
    )
    with pytest.raises(UsageError, match=f"python -m pip install {api.MCP_PACKAGE}"):
        launch_settings(door(), mcp=True)
    main = runpy.run_path(str(ROOT / "app.py"))["main"]
    assert main(["--mcp", "--library", str(tmp_path / "library")]) == 2
    assert "python -m pip install mcp==" in capsys.readouterr().err
    assert not (tmp_path / "library").exists()


def test_the_package_that_brings_mcp_is_pinned_once():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert extras["mcp"] == [api.MCP_PACKAGE]
    pinned = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").split()
    assert api.MCP_PACKAGE in pinned
