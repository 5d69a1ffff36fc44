"""Dropdowns of documents: of many, a browser is sent a few and those whose names fit what is typed.

Ten thousand choices in each of four dropdowns took a browser half a minute. Gradio's dropdown keeps
the place of the highlighted choice when its choices change, so that after typing Enter may take
another one than the first that is listed; a click takes what it is on.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import gradio as gr

from app.service import Service
from app.ui.documents import Shelf

#: What a dropdown offers: (name, id).
Choices = list[tuple[str, str]]
#: So many documents are all offered; of more, OFFERED at a time besides those that are chosen.
ALL, OFFERED = 1000, 100


def offered(choices: Choices, chosen: Collection[str], typed: str = "") -> Choices:
    """Of more than ALL choices the first OFFERED whose names have what is typed, and those that are
    chosen (ids)."""
    if len(choices) <= ALL:
        return choices
    # As the browser compares, which leaves out what does not fit.
    found = [choice for choice in choices if typed.lower() in choice[0].lower()][:OFFERED]
    there = {name for _, name in found}
    return [*found, *(c for c in choices if c[1] in chosen and c[1] not in there)]


def brought_up_to_date(choices: Choices, chosen: str | Sequence[str] | None) -> gr.Dropdown:
    """A dropdown once the library has changed; chosen: ids, a sequence where several can be.

    What is chosen is told only where some of it is gone: by the time that this comes to a page,
    somebody may have chosen something else there.
    """
    many = chosen is not None and not isinstance(chosen, str)
    ids = [chosen] if isinstance(chosen, str) else list(chosen or [])
    there = {id for _, id in choices}
    left = [id for id in ids if id in there]
    told: dict[str, Any] = {"choices": offered(choices, left), "multiselect": many}
    if left != ids:
        told["value"] = left if many else None
    return gr.Dropdown(**told)


def offer_what_is_typed(
    dropdown: gr.Dropdown, service: Service, listed: Callable[[Shelf], Choices]
) -> None:
    """Has a dropdown of documents offer others while somebody types, and the first again once it is
    left. listed: what there is to choose from."""
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

    def typing(chosen: Any, event: gr.KeyUpData) -> Any:
        return offer(chosen, event.input_value)

    def leaving(chosen: Any) -> Any:
        return offer(chosen, "")

    quiet: Any = {
        "inputs": dropdown,
        "outputs": dropdown,
        "show_progress": "hidden",
        "trigger_mode": "multiple",  # "always_last" would tell what was typed first once more
        "api_visibility": "private",
    }
    dropdown.key_up(typing, **quiet)
    dropdown.blur(leaving, **quiet)
