"""How stories are drawn for `training.objectives.babilong`, and what of them is learned."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lengths:
    """batch: B. questions: Q. segments: S, drawn anew for each batch from this list.
    segment_tokens: most tokens of a segment, as many are drawn from. stories: for each time that a
    task is named so many are told and read once, and then met again: as many of their first
    segments as there is room for, among filler. renewed: after so many steps there are other
    stories, for what is met five times is known by heart. facts: fewest and most sentences of a
    simulated story. moved_on: of its people who leave an object, the share who go elsewhere at
    once. full: how much of its segments a story fills at most. kinds: how the questions
    begin that are asked, as all do with "". beside: share of batches whose stories stand before
    their questions in one row, without memory: what answering is, before it is from memory.
    filled: share of batches that ask all questions of a story in one row, with a [MASK] for each
    answer (all answers of bAbI qa1 to qa5 are words of one token). mixed: share of stories that
    are asked all they answer, of whatever task (where the giver is, in a story of gifts). before:
    share of the stories of qa3 that are asked where people were before they came to where they are,
    which a memory token that sees them go has to look up, as all those are of whose objects nothing
    can be found so; of objects that alone is asked then. 0: all that qa3 asks, and no such. absent:
    share of questions that the story does not answer; nothing is to be said then, nor to a share
    `strange` of what no story tells (`training.decoys`). reworded: share of questions in other
    words than bAbI's (`training.wordings`). address, rivals, overlap, quiet: weights of the losses
    of what is looked up and of what it is mistaken for (`training.objectives.addresses`, `rivals`
    and `carried`), of keys that stray from all others (`training.traced`), and of what is written
    how (`written`).
    decoys: share of stories and filler whose sentences of books have names of stories in them.
    fixed: what is said teaches no key and no query; these losses alone do. depth: only the last so
    many segments are in the graph (truncated back-propagation); None: all."""

    tasks: tuple[int, ...] = (1,)
    batch: int = 16
    questions: int = 4
    segments: tuple[int, ...] = (1,)
    segment_tokens: tuple[int, ...] = (64,)
    stories: int = 32
    renewed: int = 25
    facts: tuple[int, int] = (2, 4)
    full: float = 0.5
    simulated: float = 1.0
    moved_on: float = 0.0
    kinds: tuple[str, ...] = ("",)
    beside: float = 0.0
    filled: float = 0.0
    mixed: float = 0.0
    before: float = 0.0
    absent: float = 0.0
    strange: float = 0.0
    reworded: float = 0.0
    address: float = 0.0
    rivals: float = 0.0
    overlap: float = 1.0
    quiet: float = 0.0
    decoys: float = 0.0
    fixed: bool = False
    depth: int | None = None
