"""How long a story is looked for that answers a question, and what is said if there is none."""

from collections.abc import Sequence

from training.recipe import RecipeError

#: Beginnings of stories that are drawn before it is said that none answers a question.
TRIES = 1000


def nothing_asked(tasks: Sequence[int], kinds: Sequence[str]) -> RecipeError:
    """Says that a recipe's stories answer none of the questions that it asks."""
    return RecipeError(
        f"{TRIES} stories of the tasks {list(tasks)} answer no question that begins with one of"
        f' {list(kinds)}. Let the recipe have longer stories ("facts").'
    )
