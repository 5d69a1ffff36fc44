"""The page in a real browser: drop, choose, ask, see the cited page; hostile files stay text."""

import re
import runpy
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fpdf import FPDF
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)

from app.ui import choosing
from app.ui.choosing import brought_up_to_date, offer_what_is_typed
from ingest.settings import DEFAULT_MODEL
from tests.fakes import CALIBRATION_JSON
from tests.serving import ROOT, free_port, serving

pytestmark = pytest.mark.browser
SENTENCES = (
    "The lighthouse on Vessel Rock is kept by Henrike Aalto.",
    "The ferry leaves for Tarn Island at twenty past seven.",
    "The glass hive in the school holds forty thousand bees.",
)
HOSTILE = (
    "<img src=x onerror=window.hacked=1><script>window.hacked=2</script> ${window.hacked=4} "
    "{{#each value}} {{{value}}} [here](javascript:window.hacked=5) @children"
)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory) -> Path:
    """Where the server has its temporary files."""
    return Path(tmp_path_factory.mktemp("temporary"))


@pytest.fixture(scope="module")
def address(tmp_path_factory, temporary) -> Iterator[str]:
    """`python app.py` over an empty library; its model has a calibration of this test's own."""
    folder = tmp_path_factory.mktemp("served")
    model = Path(shutil.copytree(DEFAULT_MODEL, folder / "model"))
    (model / "answering.json").write_text(CALIBRATION_JSON, encoding="utf-8")
    environment = {"TMPDIR": str(temporary)}
    with serving(folder, "--model", str(model), environment=environment) as port:
        yield f"http://127.0.0.1:{port}/"


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
    page.get_by_role("tab", name="Library").click()
    page.locator("#files input[type=file]").set_input_files([str(file) for file in files])


def ask(page: Page, question: str) -> None:
    page.get_by_role("tab", name="Ask").click()
    page.locator("#question textarea, #question input").fill(question)
    page.locator("#question textarea, #question input").press("Enter")


def soon(found: Locator, text: "str | re.Pattern[str]") -> None:
    expect(found).to_contain_text(text, timeout=60_000)


def choose(page: Page, title: str) -> None:
    page.locator("#documents input").click()
    page.get_by_role("option", name=title).click()
    page.keyboard.press("Escape")


def unfold(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()
    page.wait_for_timeout(500)  # what is inside is made only now, and takes its value from the page


#: The newest answer: the last turn stands first.
NEWEST = "#conversation .turn:first-child"


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
    soon(page.locator("#empty"), "The library is empty. Open Library and drop documents")
    page.get_by_role("tab", name="Library").click()
    soon(page.locator("#library"), "The library is empty. Drop documents")
    ask(page, "Who is there?")
    soon(page.locator(f"{NEWEST} .error"), "The library has no document to ask.")
    drop(page, path)
    soon(page.locator("#reports"), re.compile(r"Read Yearbook of the Islands: 4 pages, \d+ tokens"))
    soon(page.locator("#library"), "ready")
    expect(page.locator("#empty")).to_be_hidden(timeout=60_000)
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
    soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[number])
    first = page.locator(f"{NEWEST} .citation").first
    expect(first.locator(".quote")).to_have_text(SENTENCES[number])
    expect(first.locator(".source")).to_contain_text(f"1 · {yearbook}, page {number + 2}")
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


def test_another_cited_page_is_drawn_when_it_is_chosen_or_turned_to(visitor, address, yearbook):
    page = opened(visitor, address)
    choose(page, yearbook)
    ask(page, "When does the ferry leave for Tarn Island?")
    figure = page.locator("#page figure")
    expect(figure).to_have_attribute("data-page", "2", timeout=60_000)
    page.locator(f"{NEWEST} summary").click()  # weaker passages are folded away
    second = page.locator(f"{NEWEST} .citation").nth(1)
    number = re.search(r"page (\d+)", second.locator(".source").inner_text())
    assert number is not None and number[1] != "3"
    second.press("Enter")  # a citation is a button
    expect(figure).to_have_attribute("data-page", str(int(number[1]) - 1), timeout=60_000)
    page.locator("#previous").click()
    expect(figure).to_have_attribute("data-page", "2", timeout=60_000)
    page.locator("#next").click()
    expect(figure).to_have_attribute("data-page", str(int(number[1]) - 1), timeout=60_000)
    expect(page.locator(f"{NEWEST} .verdict")).to_have_text(SENTENCES[1])


def test_a_conversation_is_kept_and_opened_again_with_its_pages(visitor, address, yearbook):
    page = opened(visitor, address)
    choose(page, yearbook)
    for number, text in enumerate(("Who keeps the lighthouse on Vessel Rock?", "How many bees?")):
        ask(page, text)
        soon(page.locator(f"{NEWEST} .question"), text)
        soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[2 * number])
    expect(page).to_have_url(re.compile(r"\?conversation=\w{32}$"))
    page.reload()
    expect(page.locator("#conversation .turn")).to_have_count(2, timeout=60_000)
    expect(page.locator("#page figure")).to_have_attribute("data-page", "3", timeout=60_000)
    ask(page, "Who counts the bees?")  # goes on with it
    page.locator("#question textarea, #question input").press("Enter")  # pressed twice, asked once
    expect(page.locator("#conversation .turn")).to_have_count(3, timeout=60_000)
    again = opened(visitor, address)
    expect(again.locator("#conversation .turn")).to_have_count(0)
    unfold(again, "Conversations")
    again.locator("#earlier input").click()
    again.get_by_role("option", name="Who keeps the lighthouse").first.click()
    expect(again.locator("#conversation .turn")).to_have_count(3, timeout=60_000)
    expect(again).to_have_url(page.url)
    again.locator("#conversation .turn").nth(2).locator(".citation").first.click()
    expect(again.locator("#page figure")).to_have_attribute("data-page", "1", timeout=60_000)
    again.locator("#new").click()
    expect(again.locator("#conversation .turn")).to_have_count(0, timeout=60_000)
    expect(again.locator("#page figure")).to_have_count(0)
    expect(again).to_have_url(address)
    again.goto(f"{address}?conversation=gone<b>")
    soon(again.locator("#conversation .error"), "gone<b>")


def test_a_conversation_that_goes_on_or_is_deleted_in_one_tab_does_so_in_others(
    visitor, address, yearbook
):
    page = opened(visitor, address)
    ask(page, "How many bees?")
    soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[2])
    other = opened(visitor, address)
    unfold(other, "Conversations")
    other.locator("#earlier input").click()
    other.get_by_role("option", name="How many bees?").first.click()
    soon(other.locator(f"{NEWEST} .verdict"), SENTENCES[2])
    typed = other.locator("#question textarea, #question input")
    typed.fill("And who keeps")
    ask(page, "Who keeps the lighthouse on Vessel Rock?")
    soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[0])
    expect(other.locator("#conversation .turn")).to_have_count(2, timeout=60_000)
    unfold(page, "Conversations")
    page.locator("#forget").click()
    page.locator("#keep-it").click()
    expect(page.locator("#forget-it")).to_be_hidden(timeout=60_000)
    expect(page.locator("#conversation .turn")).to_have_count(2)
    page.locator("#forget").click()
    page.locator("#forget-it").click()
    expect(other.locator("#conversation .turn")).to_have_count(0, timeout=60_000)
    expect(page.locator("#forget-it")).to_be_hidden()
    expect(other.locator("#page figure")).to_have_count(0)
    expect(other.locator("#earlier input")).to_have_value("")
    expect(typed).to_have_value("And who keeps")
    expect(typed).to_be_focused()
    ask(other, "Who keeps the lighthouse on Vessel Rock?")  # begins a new one
    expect(other.locator("#conversation .turn")).to_have_count(1, timeout=60_000)
    soon(other.locator(f"{NEWEST} .verdict"), SENTENCES[0])


def test_the_last_question_is_asked_with_and_without_memory(visitor, address, yearbook):
    page = opened(visitor, address)
    unfold(page, "As of a page, with and without memory")
    page.locator("#compare").click()
    soon(page.locator("#comparison .error"), "Ask a question first.")
    choose(page, yearbook)
    ask(page, "How many bees live in the glass hive?")
    soon(page.locator("#page figure"), yearbook)  # drawn when all is said and kept
    page.locator("#compare").click()
    soon(page.locator("#comparison"), "How many bees live in the glass hive?")
    heads = page.locator("#comparison h4").all_inner_texts()
    assert heads == ["Passages say", "Memory alone says", "An emptied memory says"]
    soon(page.locator("#comparison div div").first, SENTENCES[2])


def test_an_encrypted_file_goes_in_with_its_password_which_is_not_shown(
    visitor, address, yearbook, tmp_path
):
    pdf = FPDF()
    pdf.set_font("Helvetica", size=14)
    pdf.set_encryption(owner_password="keeper", user_password="heron")
    pdf.add_page()
    pdf.multi_cell(0, text="The sluice is opened on Fridays.")
    path = tmp_path / "sluice.pdf"
    pdf.output(str(path))
    page = opened(visitor, address)
    drop(page, path)
    soon(page.locator("#reports .failed"), "password")
    unfold(page, "Scanned pages, files with a password")
    secret = page.locator("#password input")
    assert secret.get_attribute("type") == "password"
    secret.fill("heron")
    drop(page, path)
    soon(page.locator("#reports"), "Read sluice: 1 page")
    expect(secret).to_have_value("", timeout=60_000)  # it is not kept


def hand_in(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#import").click()
    chooser.value.set_files(str(file))


def test_a_memory_is_exported_and_imported_and_a_broken_one_shows_its_reason(
    visitor, address, yearbook, tmp_path, temporary
):
    path = tmp_path / 'the "tide" **table**.txt'
    path.write_text("High water at Gannet Weir is at noon.", encoding="utf-8")
    page = opened(visitor, address)
    drop(page, path)
    soon(page.locator("#reports"), 'Read the "tide" **table**: 1 page')
    unfold(page, "Hand a memory over, delete a document")
    page.locator("#chosen input").click()
    page.get_by_role("option", name='the "tide" **table**').click()
    soon(page.locator("#extent"), '“the "tide" **table**” for good: 1 page')
    page.locator("#export").click()
    link = page.locator("#exported a").first
    expect(link).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        link.click()
    file = tmp_path / "handed over.safetensors"
    download.value.save_as(file)
    assert download.value.suggested_filename == "the _tide_ _table_.safetensors"
    assert 1_700_000 < file.stat().st_size < 1_900_000
    assert not list(temporary.rglob("*.safetensors"))
    hand_in(page, file)
    soon(page.locator("#extent"), '“the "tide" **table**” was here already.')
    page.locator("#chosen input").click()
    page.get_by_role("option", name='the "tide" **table**').click()
    page.locator("#delete").click()
    page.locator("#confirm").click()
    soon(page.locator("#extent"), "Deleted.")
    expect(page.locator("#exported a")).to_have_count(0)

    hand_in(page, file)
    soon(page.locator("#extent"), '“the "tide" **table**” answers from memory alone now.')
    soon(page.locator("#library"), "a memory alone: it answers")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(file.read_bytes()[:1000])
    hand_in(page, broken)
    soon(page.locator("#extent .error"), "is not imported, and nothing has changed")
    left = {file: file.read_bytes()[:40] for file in temporary.rglob("tmp*")}
    assert not left  # of what was dropped nothing stays, however small


def test_a_document_is_deleted_after_its_extent_was_shown_and_leaves_every_open_page(
    visitor, address, yearbook, tmp_path
):
    path = tmp_path / "lockkeeper.txt"
    path.write_text("The lock keeper of Gannet Weir is Ode Brandt.", encoding="utf-8")
    page = opened(visitor, address)
    drop(page, path)
    soon(page.locator("#reports"), "Read lockkeeper: 1 page")
    ask(page, "Who is the lock keeper of Gannet Weir?")
    soon(page.locator(f"{NEWEST} .verdict"), "Ode Brandt")
    other = opened(visitor, address)
    ask(other, "Who is the lock keeper of Gannet Weir?")
    soon(other.locator(f"{NEWEST} .verdict"), "Ode Brandt")
    soon(other.locator("#page figure"), "Ode Brandt")
    other.get_by_role("tab", name="Memory").click()
    other.locator("#memory-of input").click()
    other.get_by_role("option", name="lockkeeper").click()
    soon(other.locator("#memory-size"), "1 segment of 1 page")
    page.get_by_role("tab", name="Library").click()
    unfold(page, "Hand a memory over, delete a document")
    expect(page.locator("#delete")).to_be_disabled()
    page.locator("#chosen input").click()
    page.get_by_role("option", name="lockkeeper").click()
    soon(page.locator("#extent"), "“lockkeeper” for good: 1 page, 1 passage, 1 memory")
    soon(page.locator("#extent"), "2 answers that quote it")
    expect(page.locator("#confirm")).to_be_hidden()
    page.locator("#delete").click()
    page.locator("#keep").click()
    expect(page.locator("#confirm")).to_be_hidden(timeout=60_000)
    soon(page.locator("#library"), "lockkeeper")
    page.locator("#delete").click()
    page.locator("#confirm").click()
    soon(page.locator("#extent"), "Deleted.")
    page.get_by_role("tab", name="Ask").click()
    soon(page.locator("#conversation"), "Its answer quoted a document that was deleted.")
    expect(page.locator("#conversation")).not_to_contain_text("Ode Brandt")
    expect(page.locator("#page figure")).to_have_count(0)
    expect(other.locator("#memory-size")).to_contain_text("Choose a document", timeout=60_000)
    expect(other.locator("#memory-of input")).to_have_value("")
    other.get_by_role("tab", name="Ask").click()
    soon(other.locator("#conversation"), "Its answer quoted a document that was deleted.")
    assert not {"Ode Brandt", "lockkeeper"} & set(
        re.findall(r"Ode Brandt|lockkeeper", other.content())
    )
    page.get_by_role("tab", name="Library").click()
    expect(page.locator("#library")).not_to_contain_text("lockkeeper", timeout=60_000)
    ask(page, "Who is the lock keeper of Gannet Weir?")
    soon(page.locator(f"{NEWEST} .verdict"), "Not found")


def test_a_page_whose_look_at_the_library_was_never_answered_looks_again(
    visitor, address, yearbook, tmp_path
):
    path = tmp_path / "signal box.txt"
    path.write_text("The signal box of Fenner Halt was painted green.", encoding="utf-8")
    other = opened(visitor, address)
    other.get_by_role("tab", name="Library").click()
    soon(other.locator("#library"), yearbook)
    lost: list[str] = []

    def lose_one(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.fulfill(json={"event_id": "an event of which nothing is ever heard"})

    # Nobody does anything there, so what it asks is its looking, every few seconds.
    other.wait_for_timeout(2000)
    other.route("**/queue/join*", lose_one)
    other.wait_for_event("request", lambda request: "queue/join" in request.url, timeout=60_000)
    page = opened(visitor, address)
    drop(page, path)
    soon(page.locator("#reports"), "Read signal box: 1 page")
    soon(other.locator("#library"), "signal box")
    assert lost


def test_the_memory_of_a_document_shows_its_size_where_it_was_written_and_what_was_new(
    visitor, address, yearbook
):
    page = opened(visitor, address)
    page.get_by_role("tab", name="Memory").click()
    soon(page.locator("#memory-size"), "Choose a document: you then see where its memory")
    page.locator("#memory-of input").click()
    page.get_by_role("option", name=yearbook).click()
    soon(page.locator("#memory-size"), "4 segments of 4 pages")
    soon(page.locator("#memory-size"), "in a memory of 1.8 MB")
    expect(page.locator("#memory-plot canvas, #memory-plot svg").first).to_be_visible()
    news = page.locator("#outline .citation")
    expect(news).to_have_count(3, timeout=60_000)  # not the first page: all is new at first
    news.nth(1).click()
    expect(page.locator("#memory-page figure")).to_have_attribute("data-page", "2")
    unfold(page, "Compare with another version")
    page.locator("#other input").click()
    page.get_by_role("option", name=yearbook).click()
    soon(page.locator("#changes"), "They say the same, sentence by sentence.")


def test_what_no_document_says_is_not_found(visitor, address, yearbook):
    page = opened(visitor, address)
    choose(page, yearbook)
    ask(page, "What is the capital of Mongolia?")
    soon(page.locator(f"{NEWEST} .verdict"), "Not found in these documents.")
    expect(page.locator(NEWEST)).to_contain_text("The nearest passages")
    expect(page.locator("#page figure")).to_be_visible()


def test_as_of_a_page_counts_from_1_and_rubbish_is_answered_with_a_sentence(
    visitor, address, yearbook
):
    page = opened(visitor, address)
    choose(page, yearbook)
    unfold(page, "As of a page, with and without memory")
    as_of = page.locator("#as-of textarea, #as-of input")
    asked = "When does the ferry leave for Tarn Island?"  # it stands on page 3
    as_of.fill("2")
    ask(page, asked)
    soon(page.locator(f"{NEWEST} .verdict"), "Not found in these documents.")
    as_of.fill("3")
    ask(page, asked)
    soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[1])
    for rubbish in ("two", "0", "-1", "1.5", "9" * 5000):
        as_of.fill(rubbish)
        ask(page, asked)
        soon(page.locator(f"{NEWEST} .error"), f"page number from 1 on, not “{rubbish[:40]}”")
        expect(page.locator("#page figure")).to_have_count(0)
    as_of.fill("5")
    ask(page, asked)
    soon(page.locator(f"{NEWEST} .error"), "has pages 1 to 4; there is no page 5")


def test_an_empty_or_endless_question_is_answered_with_a_sentence(visitor, address, yearbook):
    page = opened(visitor, address)
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, "x" * 4001)
    soon(page.locator(f"{NEWEST} .error"), "may have 4,000 characters; this one has 4,001.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ask(page, "  ")
    soon(page.locator(f"{NEWEST} .error"), "The question is empty.")


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
    page.get_by_role("tab", name="Ask").click()
    choose(page, "onerror")
    soon(page.locator("#loaded"), "Memory loaded: 1 document")
    ask(page, "What is the password of the vault?")
    soon(page.locator(f"{NEWEST} .verdict"), HOSTILE)
    expect(page.locator("#page mark")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None and not said
    assert page.locator("body img[src=x], #conversation script, #page script").count() == 0


def test_two_visitors_at_once_see_their_own_answers(visitor, browser, address, yearbook):
    with browser.new_context() as other:
        one, two = opened(visitor, address), opened(other, address)
        for _ in range(3):
            ask(one, "Who keeps the lighthouse on Vessel Rock?")
            ask(two, "How many bees live in the glass hive?")
            soon(one.locator(f"{NEWEST} .verdict"), SENTENCES[0])
            soon(two.locator(f"{NEWEST} .verdict"), SENTENCES[2])
            expect(one.locator("#page figure")).to_have_attribute("data-page", "1")
            expect(two.locator("#page figure")).to_have_attribute("data-page", "3")
        assert not two.locator("#documents .token").count()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_needs_no_sideways_scrolling(visitor, address, yearbook, width):
    page = opened(visitor, address)
    page.set_viewport_size({"width": width, "height": 844})
    ask(page, "When does the ferry leave for Tarn Island?")
    soon(page.locator(f"{NEWEST} .verdict"), SENTENCES[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_other_hosts_than_this_machine_are_refused_without_a_password(monkeypatch, capsys):
    monkeypatch.delenv("RECOLLECT_PASSWORD", raising=False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # which it sets, and which is as before then
    assert app_main()(["--host", "0.0.0.0"]) == 2
    assert "Set RECOLLECT_PASSWORD" in capsys.readouterr().err


def app_main():
    """`main` of app.py: what it refuses, it refuses before anything is opened."""
    return runpy.run_path(str(ROOT / "app.py"))["main"]


def test_a_page_of_the_web_that_calls_itself_this_machine_gets_nothing(address):
    """DNS that leads a foreign name to 127.0.0.1 makes a browser send that name as its host."""
    for path in ("", "config", "gradio_api/info"):
        request = urllib.request.Request(address + path, headers={"Host": "evil.example:7860"})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(request, timeout=10)
        with urllib.request.urlopen(address + path, timeout=10) as fine:
            assert fine.status == 200


@pytest.mark.parametrize(
    "path", ["README.md", "app.py", "models/default/config.json", "/etc/passwd"]
)
def test_no_file_of_this_machine_is_handed_out(address, path):
    for way in (str(ROOT / path), path, f"../{path}"):
        with pytest.raises(urllib.error.HTTPError, match=r"40[34]"):
            urllib.request.urlopen(f"{address}gradio_api/file={way}", timeout=10)


def test_impossible_and_taken_ports_are_named(address, tmp_path, capsys):
    for port in ("0", "70000", "-1", "web"):
        with pytest.raises(SystemExit) as refused:
            app_main()(["--port", port])
        assert refused.value.code == 2 and "--port" in capsys.readouterr().err
    taken = re.sub(r"\D", "", address.rsplit(":", 1)[1])
    command = [sys.executable, "app.py", "--port", taken, "--library", str(tmp_path / "library")]
    started = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert started.returncode == 1 and taken in started.stderr


@pytest.fixture
def many(monkeypatch) -> Iterator[str]:
    """A page of two dropdowns of 40 documents, of which 12 are offered at a time; its address."""
    monkeypatch.setattr(choosing, "ALL", 20)
    monkeypatch.setattr(choosing, "OFFERED", 12)
    there = [(f"Report {n:02}", f"id{n}") for n in range(40)]
    service: Any = SimpleNamespace(revision=lambda: "1", documents=list, model="")
    with gr.Blocks() as blocks:
        one = gr.Dropdown([], value=None, elem_id="one")
        several = gr.Dropdown([], value=[], multiselect=True, elem_id="several")
        told = gr.JSON(elem_id="told")
        for dropdown, none in ((one, None), (several, [])):
            offer_what_is_typed(dropdown, service, lambda shelf: there)
            blocks.load(partial(brought_up_to_date, there, none), outputs=dropdown)
            dropdown.input(lambda *both: list(both), [one, several], told)
    _, address, _ = blocks.launch(prevent_thread_lock=True, server_port=free_port(), quiet=True)
    yield address
    blocks.close()


@pytest.mark.parametrize("name", ["one", "several"])
def test_of_many_documents_the_list_is_what_is_typed_and_enter_takes_its_first(browser, many, name):
    with browser.new_context() as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(many)
        listed, typed = page.get_by_role("option"), page.locator(f"#{name} input").first

        def looks_for(text: str, *found: str) -> None:
            typed.press("Control+a")
            typed.press_sequentially(text, delay=20)
            expect(listed).to_have_text([re.compile(title) for title in found])
            expect(listed.first).to_have_class(re.compile("active"))

        typed.click()
        expect(listed).to_have_count(12, timeout=60_000)
        looks_for("7", "Report 07", "Report 17", "Report 27", "Report 37")
        typed.press("ArrowDown")
        expect(page.locator("[role=option].active")).to_have_text(re.compile("Report 17"))
        looks_for("37", "Report 37")
        typed.press("Enter")
        expect(page.locator("#told")).to_contain_text("id37")
        looks_for("report 3", *(f"Report 3{n}" for n in (*range(7), 8, 9, 7)))
        listed.nth(1).click()
        expect(page.locator("#told")).to_contain_text("id31")
        assert not errors
