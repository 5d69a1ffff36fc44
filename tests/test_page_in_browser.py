"""The page in a real browser: drop, choose, ask, see the cited page; hostile files stay text."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from ingest.settings import DEFAULT_MODEL
from tests.fakes import CALIBRATION_JSON

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parent.parent
SENTENCES = (
    "The lighthouse on Vessel Rock is kept by Henrike Aalto.",
    "The ferry leaves for Tarn Island at twenty past seven.",
    "The glass hive in the school holds forty thousand bees.",
)
HOSTILE = "<img src=x onerror=window.hacked=1><script>window.hacked=2</script>"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """`python app.py` over an empty library; its model has a calibration of this test's own."""
    folder = tmp_path_factory.mktemp("served")
    model = Path(shutil.copytree(DEFAULT_MODEL, folder / "model"))
    (model / "answering.json").write_text(CALIBRATION_JSON, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--library", str(folder / "library")]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "uploads")}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--model", str(model)], cwd=ROOT, stderr=log, stdout=log, env=environment
        )
    try:
        wait_until_served(f"http://127.0.0.1:{port}/", server, folder / "log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


def wait_until_served(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(480):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"not served within two minutes: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail("These tests drive a real browser: install Chromium (or Google Chrome).")
    off = ("no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=[f"--{name}" for name in off]
        )
        yield launched
        launched.close()


@pytest.fixture
def visitor(browser, address) -> Iterator[BrowserContext]:
    """A context of its own whose every request must stay on this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    yield context
    context.close()
    strange = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert asked and not strange


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    expect(page.locator("#question textarea, #question input")).to_be_visible(timeout=60_000)
    return page


def drop(page: Page, *files: Path) -> None:
    page.locator("#files input[type=file]").set_input_files([str(file) for file in files])


def ask(page: Page, question: str) -> None:
    page.locator("#question textarea, #question input").fill(question)
    page.locator("#ask").click()


def soon(found: Locator, text: "str | re.Pattern[str]") -> None:
    expect(found).to_contain_text(text, timeout=60_000)


def choose(page: Page, title: str) -> None:
    page.locator("#choice label", has_text=title).locator("input").check()


@pytest.fixture(scope="module")
def yearbook(browser, address, tmp_path_factory) -> str:
    """A PDF of four pages with a title of its own, dropped onto the page; its title."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=14)
    pdf.set_title("Yearbook of the Islands")
    for text in ("Nothing but a title page stands here.", *SENTENCES):
        pdf.add_page()
        pdf.multi_cell(0, text=text)
    path = tmp_path_factory.mktemp("pdf") / "file-0001.pdf"
    pdf.output(str(path))
    context = browser.new_context()
    page = opened(context, address)
    page.get_by_role("button", name="Library").click()
    soon(page.locator("#library"), "The library is empty. Drop documents")
    ask(page, "Who is there?")
    soon(page.locator("#answer .error"), "The library has no document to ask.")
    drop(page, path)
    soon(page.locator("#reports"), re.compile(r"Read Yearbook of the Islands: 4 pages, \d+ tokens"))
    soon(page.locator("#choice"), "Yearbook of the Islands (4 pages)")
    soon(page.locator("#library"), "ready")
    context.close()
    return "Yearbook of the Islands"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_question_shows_the_answer_its_page_number_and_the_page_drawn(
    visitor, address, yearbook, number
):
    questions = (
        "Who keeps the lighthouse on Vessel Rock?",
        "When does the ferry leave for Tarn Island?",
        "How many bees live in the glass hive?",
    )
    page = opened(visitor, address)
    choose(page, yearbook)
    soon(page.locator("#loaded"), "Memory loaded: 1 document, 4 segments read, 1.8 MB.")
    ask(page, questions[number])
    soon(page.locator("#answer .verdict"), SENTENCES[number])
    first = page.locator("#answer .citation").first
    expect(first.locator("p")).to_have_text(SENTENCES[number])
    expect(first.locator("footer")).to_contain_text(f"1 · {yearbook}, page {number + 2}")
    shown = page.locator("#page figure")
    expect(shown).to_have_attribute("data-page", str(number + 1))
    expect(shown.locator("img")).to_be_visible()
    size = shown.locator("img").evaluate(
        "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
    )
    assert size[0] > 300 and size[1] > size[0]  # an upright page
    assert yellow(shown.locator("img")) > 1000  # the quote is marked


def yellow(image: Locator) -> int:
    """Pixels of the marker's colour."""
    return int(
        image.evaluate(
            """image => {
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
                const pen = canvas.getContext('2d');
                pen.drawImage(image, 0, 0);
                const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
                let count = 0;
                for (let i = 0; i < data.length; i += 4)
                    if (data[i] > 200 && data[i + 1] > 180 && data[i + 2] < 130) count++;
                return count;
            }"""
        )
    )


def test_another_cited_page_is_drawn_when_it_is_chosen(visitor, address, yearbook):
    page = opened(visitor, address)
    choose(page, yearbook)
    ask(page, "When does the ferry leave for Tarn Island?")
    figure = page.locator("#page figure")
    expect(figure).to_have_attribute("data-page", "2", timeout=60_000)
    second = page.locator("#cited label").nth(1)
    number = re.search(r"page (\d+)", second.inner_text())
    assert number is not None and number[1] != "3"
    second.click()
    expect(figure).to_have_attribute("data-page", str(int(number[1]) - 1), timeout=60_000)
    expect(page.locator("#answer .verdict")).to_have_text(SENTENCES[1])


def test_what_no_document_says_is_not_found(visitor, address, yearbook):
    page = opened(visitor, address)
    choose(page, yearbook)
    ask(page, "What is the capital of Mongolia?")
    soon(page.locator("#answer .verdict"), "Not found in these documents.")
    expect(page.locator("#answer")).to_contain_text("The nearest passages")
    expect(page.locator("#cited")).to_contain_text("Nearest pages")


def test_as_of_a_page_counts_from_1_and_rubbish_is_answered_with_a_sentence(
    visitor, address, yearbook
):
    page = opened(visitor, address)
    choose(page, yearbook)
    as_of = page.locator("#as-of textarea, #as-of input")
    as_of.fill("2")
    ask(page, "When does the ferry leave for Tarn Island?")  # it stands on page 3
    soon(page.locator("#answer .verdict"), "Not found in these documents.")
    as_of.fill("3")
    page.locator("#ask").click()
    soon(page.locator("#answer .verdict"), SENTENCES[1])
    for rubbish in ("two", "0", "-1", "1.5", "9" * 5000):
        as_of.fill(rubbish)
        page.locator("#ask").click()
        soon(page.locator("#answer .error"), f"page number from 1 on, not “{rubbish[:40]}”")
        expect(page.locator("#page figure")).to_have_count(0)
    as_of.fill("5")
    page.locator("#ask").click()
    soon(page.locator("#answer .error"), "has pages 1 to 4; there is no page 5")


def test_an_empty_question_is_answered_with_a_sentence(visitor, address, yearbook):
    page = opened(visitor, address)
    ask(page, "  ")
    soon(page.locator("#answer .error"), "The question is empty.")


def test_a_hostile_file_is_text_and_a_bad_one_shows_its_reason(visitor, address, tmp_path):
    hostile = tmp_path / "<img src=x onerror=window.hacked=3>.txt"
    hostile.write_text(f"The password of the vault is {HOSTILE} as of Monday.", encoding="utf-8")
    bad = tmp_path / "broken.pdf"
    bad.write_bytes(b"%PDF-1.7 and nothing more")
    page = opened(visitor, address)
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    drop(page, hostile, bad)
    soon(page.locator("#reports .failed"), re.compile(r"Failed broken \(.{10,}\)"))
    choice = page.locator("#choice label", has_text="onerror")
    expect(choice).to_be_visible(timeout=60_000)
    choice.locator("input").check()
    soon(page.locator("#loaded"), "Memory loaded: 1 document")
    ask(page, "What is the password of the vault?")
    soon(page.locator("#answer .verdict"), HOSTILE)
    expect(page.locator("#page mark")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None and not said
    for place in ("#answer", "#page", "#reports", "#choice", "#cited", "#library", "#loaded"):
        assert page.locator(f"{place} img[src=x], {place} script").count() == 0, place


def test_two_visitors_at_once_see_their_own_answers(visitor, browser, address, yearbook):
    with browser.new_context() as other:
        one, two = opened(visitor, address), opened(other, address)
        for _ in range(3):
            ask(one, "Who keeps the lighthouse on Vessel Rock?")
            ask(two, "How many bees live in the glass hive?")
            soon(one.locator("#answer .verdict"), SENTENCES[0])
            soon(two.locator("#answer .verdict"), SENTENCES[2])
            expect(one.locator("#page figure")).to_have_attribute("data-page", "1")
            expect(two.locator("#page figure")).to_have_attribute("data-page", "3")
        assert not two.locator("#choice input:checked").count()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_needs_no_sideways_scrolling(visitor, address, yearbook, width):
    page = opened(visitor, address)
    page.set_viewport_size({"width": width, "height": 844})
    ask(page, "When does the ferry leave for Tarn Island?")
    soon(page.locator("#answer .verdict"), SENTENCES[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_other_hosts_than_this_machine_are_refused():
    for host in ("0.0.0.0", "192.168.1.2"):
        refused = started("--host", host)
        assert refused.returncode == 2 and "--host" in refused.stderr


def test_impossible_and_taken_ports_are_named(address, tmp_path):
    for port in ("0", "70000", "-1", "web"):
        refused = started("--port", port)
        assert refused.returncode == 2 and "--port" in refused.stderr
    taken = re.sub(r"\D", "", address.rsplit(":", 1)[1])
    refused = started("--port", taken, "--library", str(tmp_path / "library"))
    assert refused.returncode == 1 and taken in refused.stderr
