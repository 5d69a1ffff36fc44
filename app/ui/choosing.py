"""Dropdowns of documents: of many, a browser is sent a few and those whose names fit what is typed.

Ten thousand choices in each of four dropdowns took a browser half a minute.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import gradio as gr

from app.service import Service
from app.ui.documents import Shelf

#: What a dropdown offers: (name, id).
Choices = list[tuple[str, str]]
#: So many documents are all offered; of more, OFFERED at a time, those that are chosen among them.
ALL, OFFERED = 1000, 100
#: What is typed in the dropdown of this id.
TYPED = "() => document.querySelector('#{id} input').value"
#: Gradio's dropdown shows all of new choices, and highlights the number that was highlighted among
#: the old ones. At Home it looks again at what is typed and highlights the first that fits, which
#: is what Enter takes. Only one list is open at a time; none is opened.
HOME = """() => document.querySelector('input[role=combobox][aria-expanded=true]')?.dispatchEvent(
    new KeyboardEvent('keydown', {key: 'Home', bubbles: true})
)"""


def offered(choices: Choices, chosen: Collection[str], typed: str = "") -> Choices:
    """Of more than ALL choices OFFERED: first those whose names have what is typed, then others,
    then those that are chosen (ids).

    Always as many: for a moment Gradio's dropdown looks for the numbers of the old choices among
    the new ones, and one that is missing is an error there. It hides those that do not fit.
    """
    if len(choices) <= ALL:
        return choices
    kept = [choice for choice in choices if choice[1] in chosen]
    others = [choice for choice in choices if choice[1] not in chosen]
    # As the browser compares.
    others.sort(key=lambda choice: typed.lower() not in choice[0].lower())
    return others[: OFFERED - len(kept)] + kept


def brought_up_to_date(
    choices: Choices, chosen: str | Sequence[str] | None, typed: str = ""
) -> gr.Dropdown:
    """A dropdown once the library has changed; chosen: ids, a sequence where several can be; typed:
    what is being typed in it.

    What is chosen is told only where some of it is gone: by the time that this comes to a page,
    somebody may have chosen something else there. What was found for the typed stays until the next
    key.
    """
    many = chosen is not None and not isinstance(chosen, str)
    ids = [chosen] if isinstance(chosen, str) else list(chosen or [])
    there = {id for _, id in choices}
    left = [id for id in ids if id in there]
    told: dict[str, Any] = {"multiselect": many}
    if not typed or len(choices) <= ALL:
        told["choices"] = offered(choices, left)
    if left != ids:
        told["value"] = left if many else None
    return gr.Dropdown(**told)


def offer_what_is_typed(
    dropdown: gr.Dropdown, service: Service, listed: Callable[[Shelf], Choices]
) -> gr.Textbox:
    """Has a dropdown of documents offer others while somebody types, and the first again once
    something is chosen or it is left. listed: what there is to choose from. Returns a hidden box
    that holds what is being typed."""
    known: tuple[str, Choices] = "", []

    def choices() -> Choices:
        nonlocal known
        revision = service.revision()
        if known[0] != revision:
            known = revision, listed(Shelf.of(service.documents(), service.model))
        return known[1]

    def offer(chosen: str | Sequence[str] | None, typed: str) -> Any:
        there = choices()
        if len(there) <= ALL:
            return gr.skip()  # all of them are there
        many = bool(dropdown.multiselect)
        ids = [chosen] if isinstance(chosen, str) else chosen or []
        return gr.Dropdown(choices=offered(there, ids, typed), multiselect=many)

    # The box changes only with what is typed: a key that moves the highlight asks nothing, and of a
    # name that is typed fast only the end is looked for.
    typed = gr.Textbox("", visible="hidden")
    quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
    dropdown.key_up(None, outputs=typed, js=TYPED.format(id=dropdown.elem_id), **quiet)
    gr.on([dropdown.select, dropdown.blur], None, outputs=typed, js="() => ''", **quiet)
    typed.change(
        offer,
        inputs=[dropdown, typed],
        outputs=dropdown,
        trigger_mode="always_last",
        preprocess=False,  # would refuse what was chosen while others were on their way
        **quiet,
    ).then(None, js=HOME, **quiet)
    return typed
