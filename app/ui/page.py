"""The page: drop files, choose documents, ask, see the answer and the cited page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from app.results import Answer, Citation
from app.service import Service
from app.ui import api, render
from armt_core.errors import RecollectError, UsageError

STYLE = Path(__file__).with_name("style.css")
#: Fonts of the system alone: nothing is fetched.
FONTS = ("system-ui", "sans-serif")


def build(service: Service) -> gr.Blocks:
    """The page over one service; `launch` it with `launch_settings()`."""
    answerer = service.answerer
    unasked = render.NOT_ASKED if answerer.model.reads_memory else render.UNTRAINED
    said_of_memory = None if answerer.answers_from_memory else unasked
    with gr.Blocks(title="Recollect", analytics_enabled=False) as page:
        citations = gr.State([])
        gr.Markdown(
            "# Recollect\nDocuments read once, asked ever after. Nothing leaves this machine."
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                files = gr.File(
                    label="Drop PDF, text or Markdown files here",
                    file_count="multiple",
                    elem_id="files",
                    height=200,
                )
                reports = gr.HTML(elem_id="reports")
                choice = gr.CheckboxGroup(
                    label="Ask these (none chosen: all)",
                    choices=[],
                    visible=False,
                    elem_id="choice",
                )
                loaded = gr.HTML(elem_id="loaded")
                with gr.Accordion("Library", open=False):
                    table = gr.HTML(elem_id="library")
            with gr.Column(scale=3, min_width=320):
                question = gr.Textbox(
                    label="Question", placeholder="What do you want to know?", elem_id="question"
                )
                with gr.Row():
                    as_of = gr.Textbox(
                        label="As of page (empty: all)",
                        elem_id="as-of",
                        max_lines=1,
                        scale=2,
                    )
                    memory = gr.Radio(
                        label="Memory",
                        choices=[("as read", "final"), ("emptied", "empty")],
                        value="final",
                        elem_id="memory",
                        scale=2,
                    )
                    ask = gr.Button("Ask", variant="primary", elem_id="ask", scale=1)
                answer = gr.HTML(elem_id="answer")
                with gr.Accordion("What memory alone says", open=True):
                    said = gr.HTML(render.memory_html(None, said_of_memory, {}), elem_id="said")
                cited = gr.Radio(
                    label="Cited pages", choices=[], visible=False, elem_id="cited", type="index"
                )
                shown = gr.HTML(elem_id="page")

        def refresh() -> tuple[Any, str]:
            ready = service.ready()
            choices = [(_choice(d.title, d.pages), d.id) for d in ready]
            group = gr.CheckboxGroup(choices=choices, visible=bool(choices))
            return group, render.documents_html(service.documents())

        def add(paths: Sequence[str] | None, progress: Any = gr.Progress()) -> Iterator[Any]:  # noqa: B008
            if not paths:
                yield "", *refresh(), None
                return

            def show(path: Path, done: int, total: int) -> None:
                progress((done, total), desc=path.name, unit="segments")

            done = []
            try:
                for report in service.add([Path(p) for p in paths], show):
                    done.append(report)
                    yield render.reports_html(done), *refresh(), paths
            except RecollectError as error:
                failed = render.reports_html(done) + render.error_html(str(error))
                yield failed, *refresh(), None
                return
            yield render.reports_html(done), *refresh(), None

        def load(chosen: list[str]) -> str:
            if not chosen:
                return ""
            try:
                segments, size = service.load(chosen)
            except RecollectError as error:
                return render.error_html(str(error))
            return (
                f'<p class="confidence">Memory loaded: {render.count(len(chosen), "document")}, '
                f"{render.count(segments, 'segment')} read, {size / 1e6:.1f} MB.</p>"
            )

        def respond(text: str, chosen: list[str], page_number: str, mode: Any) -> tuple[Any, ...]:
            try:
                result = service.ask(text, chosen, _page_index(page_number), mode)
            except RecollectError as error:
                hidden = gr.Radio(choices=[], visible=False)
                return render.error_html(str(error)), gr.skip(), hidden, "", []
            listed = list(result.citations or result.nearest[:3])
            labels = [render.citation_label(n, c) for n, c in enumerate(listed, 1)]
            return (
                render.answer_html(result),
                render.memory_html(result, said_of_memory, _titles(service, result)),
                gr.Radio(
                    label="Cited pages" if result.found else "Nearest pages",
                    choices=labels,
                    value=labels[0] if labels else None,
                    visible=bool(labels),
                ),
                draw(0, listed),
                listed,
            )

        def draw(index: int | None, listed: list[Citation]) -> str:
            if index is None or index >= len(listed):
                return ""
            try:
                return _page_html(service, listed[index])
            except RecollectError as error:
                return render.error_html(str(error))

        outputs = [answer, said, cited, shown, citations]
        inputs = [question, choice, as_of, memory]
        page.load(refresh, outputs=[choice, table], api_visibility="private")
        files.upload(
            add, inputs=files, outputs=[reports, choice, table, files], api_visibility="private"
        )
        choice.change(load, inputs=choice, outputs=loaded, api_visibility="private")
        ask.click(respond, inputs=inputs, outputs=outputs, api_visibility="private")
        question.submit(respond, inputs=inputs, outputs=outputs, api_visibility="private")
        cited.input(draw, inputs=[cited, citations], outputs=shown, api_visibility="private")
    api.add(page, service)
    return page


def launch_settings(mcp: bool = False) -> dict[str, Any]:
    """What `launch` needs: system fonts, our style, no link to anywhere, and the API.

    mcp, and what is raised: see `app.ui.api.launch_settings`.
    """
    return {
        "theme": gr.themes.Default(font=FONTS, font_mono=("ui-monospace", "monospace")),
        "css_paths": STYLE,
        "footer_links": [],
        "share": False,
        **api.launch_settings(mcp),
    }


def _choice(title: str, pages: int) -> str:
    return f"{title} ({render.count(pages, 'page')})"


def _page_index(text: str) -> int | None:
    """The 0-based page of what was typed, counted from 1; None for nothing."""
    if not text.strip():
        return None
    typed = text.strip()
    if not typed.isdecimal() or len(typed) > 9 or int(typed) < 1:
        raise UsageError(f"“As of page” takes a page number from 1 on, not “{typed[:40]}”.")
    return int(typed) - 1


def _titles(service: Service, answer: Answer) -> dict[str, str]:
    if answer.memory_answer is None:
        return {}
    document = service.library.document(answer.memory_answer.document_id)
    return {document.id: document.title}


def _page_html(service: Service, citation: Citation) -> str:
    png = service.drawn(citation)
    if png is not None:
        return render.page_image_html(png, citation)
    return render.page_text_html(service.page(citation), citation)
