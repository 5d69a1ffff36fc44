"""The page: its views, and what keeps them up to date with the library."""

from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from app.service import Service
from app.ui import api, doors
from app.ui.ask import AskView
from app.ui.documents import Shelf
from app.ui.doors import Door
from app.ui.library import LibraryView
from app.ui.memory import MemoryView

STYLE = Path(__file__).with_name("style.css")
#: What Gradio tells screen readers and has no words for.
STATUS = {"common.complete": "Done", "common.error": "Error"}
#: Fonts of the system alone: nothing is fetched.
FONTS = ("system-ui", "sans-serif")
#: Gradio's own colours of hints and errors are too near to what is behind them.
CONTRAST = {
    "body_text_color_subdued": "*neutral_500",
    "body_text_color_subdued_dark": "*neutral_300",
    "input_placeholder_color": "*neutral_500",
    "input_placeholder_color_dark": "*neutral_400",
    "error_text_color": "#b42318",
    "error_text_color_dark": "#ff9b8f",
    "link_text_color_dark": "#8ab4ff",
}
#: Seconds for which Gradio keeps its copies of files that were handed out.
CACHED = 600
#: Seconds after which each open page looks whether the library has changed.
LOOK = 3


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

        views = (asking, keeping, remembering)

        def refresh(*watched: Any) -> tuple[Any, ...]:
            shelf, values = Shelf.of(service.documents(), service.model), iter(watched)
            return tuple(
                value
                for view in views
                for value in view.again(shelf, *islice(values, len(view.watched)))
            )

        # Other tabs, visitors and programs change the library too. To look costs one query; only
        # a change brings the views up to date.
        seen = gr.State("")
        look: Any = {"outputs": seen, "show_progress": "hidden", "api_visibility": "private"}
        page.load(service.revision, **look)
        page.load(asking.reopen, outputs=asking.reopened, api_visibility="private")
        # With "once", the timer's own, an answer that never comes would end the looking for good:
        # Gradio sends no look while one is pending.
        gr.Timer(LOOK).tick(service.revision, trigger_mode="multiple", **look)
        for change in keeping.changes:
            change.then(service.revision, **look)
        seen.change(
            refresh,
            inputs=[component for view in views for component in view.watched],
            outputs=[component for view in views for component in view.refreshed],
            show_progress="hidden",
            api_visibility="private",
        )
    api.add(page, service)
    return page


def launch_settings(at: Door, mcp: bool = False) -> dict[str, Any]:
    """What `launch` needs: who is let in, system fonts, our style, no link to anywhere, the API.

    mcp, and what is raised: see `app.ui.api.launch_settings`.
    """
    let_in, called = doors.launch_settings(at), api.launch_settings(mcp)
    middleware = [*let_in.pop("middleware"), *called.pop("middleware")]
    return {
        "theme": gr.themes.Default(font=FONTS, font_mono=("ui-monospace", "monospace")).set(
            **CONTRAST
        ),
        "css_paths": STYLE,
        "footer_links": [],
        "i18n": gr.I18n(en=STATUS),
        "app_kwargs": {"middleware": middleware},
        **let_in,
        **called,
    }
