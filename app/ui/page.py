"""The page: its views, and what keeps them up to date with the library."""

from pathlib import Path
from typing import Any

import gradio as gr

from app.conversing import Turn
from app.service import Service
from app.ui import api, ask, documents, doors
from app.ui.ask import AskView
from app.ui.doors import Door
from app.ui.library import LibraryView
from app.ui.memory import MemoryView
from app.ui.render import count

STYLE = Path(__file__).with_name("style.css")
#: What Gradio tells screen readers and has no words for.
STATUS = {"common.complete": "Done", "common.error": "Error"}
#: Fonts of the system alone: nothing is fetched.
FONTS = ("system-ui", "sans-serif")
#: Seconds for which Gradio keeps its copies of files that were handed out.
CACHED = 600


def build(service: Service) -> gr.Blocks:
    """The page over one service; `launch` it with `launch_settings()`."""
    with gr.Blocks(
        title="Recollect", analytics_enabled=False, delete_cache=(CACHED, CACHED)
    ) as page:
        gr.Markdown(
            "# Recollect\nDocuments read once, asked ever after. Nothing leaves this machine."
        )
        with gr.Tab("Ask", elem_id="tab-ask"):
            asking = AskView(service)
        with gr.Tab("Library", elem_id="tab-library"):
            keeping = LibraryView(service)
        with gr.Tab("Memory", elem_id="tab-memory"):
            remembering = MemoryView(service)

        def refresh(
            chosen: list[str], talk: str | None, turns: list[Turn], at: ask.At
        ) -> tuple[Any, ...]:
            known = service.documents()
            ready = [d for d in known if d.state == "ready" and d.segments_read]
            begin = ask.BEGIN if known else ask.EMPTY
            named = documents.names(known)
            choices = [(_choice(named[d.id], d.pages), d.id) for d in ready]
            turns, *shown = asking.again(talk, turns, at)
            if not turns:
                shown[0] = begin
            return (
                turns,
                gr.Dropdown(choices=choices, value=[d.id for d in ready if d.id in chosen]),
                *shown,
                asking.conversations(None) if not turns else gr.skip(),
                gr.Dropdown(choices=[(named[d.id], d.id) for d in known], value=None),
                documents.documents_html(known),
                gr.Button(visible=any(d.interrupted for d in known)),
                gr.Dropdown(choices=choices, value=None),
                gr.Dropdown(choices=choices, value=None),
            )

        current: dict[str, Any] = {
            "inputs": [asking.documents, asking.talk, asking.said, asking.at],
            "outputs": [
                asking.said,
                asking.documents,
                asking.conversation,
                asking.page,
                asking.turning,
                asking.at,
                asking.earlier,
                keeping.chosen,
                keeping.table,
                keeping.resume,
                remembering.chosen,
                remembering.other,
            ],
            "api_visibility": "private",
        }
        page.load(refresh, **current)
        for change in keeping.changes:
            change.then(refresh, **current)
    api.add(page, service)
    return page


def launch_settings(at: Door, mcp: bool = False) -> dict[str, Any]:
    """What `launch` needs: who is let in, system fonts, our style, no link to anywhere, the API.

    mcp, and what is raised: see `app.ui.api.launch_settings`.
    """
    let_in, called = doors.launch_settings(at), api.launch_settings(mcp)
    middleware = [*let_in.pop("middleware"), *called.pop("middleware")]
    return {
        "theme": gr.themes.Default(font=FONTS, font_mono=("ui-monospace", "monospace")),
        "css_paths": STYLE,
        "footer_links": [],
        "i18n": gr.I18n(en=STATUS),
        "app_kwargs": {"middleware": middleware},
        **let_in,
        **called,
    }


def _choice(title: str, pages: int) -> str:
    return f"{title} ({count(pages, 'page')})"
