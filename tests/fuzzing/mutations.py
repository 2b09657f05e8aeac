"""Every kind of mutation by its name, and one mutation drawn from a seed."""

import random
from collections.abc import Callable, Sequence

from fuzzing import bombs, contents, elements, folders, values, zips
from fuzzing.case import Case
from fuzzing.sources import Source

KINDS: dict[str, Callable[[Case], None]] = {
    kind.__name__: kind for group in (contents, elements, values, bombs, folders, zips) for kind in group.KINDS
}


def draw(seed: int, sources: Sequence[Source]) -> tuple[random.Random, str, list[Source]]:
    """The chance, the kind, and sources in the order in which they are tried; the same for the same seed, always."""
    generator = random.Random(f"prostate_alm {seed}")
    kind = generator.choice(sorted(KINDS))
    order = sorted(sources, key=lambda source: generator.random() ** (1 / source.weight), reverse=True)
    return generator, kind, order
