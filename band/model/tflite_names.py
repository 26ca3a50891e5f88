"""Names that a .tflite file gives and that other tools know its parts by."""

from typing import Any, Final

from band.model.model import Model
from band.model.tflite_schema import text

_UNNAMED: Final = "main"


def main_graph_name(model: Model) -> str:
    """Return the name of the main subgraph; ``main``, as viewers call it, if it has none."""
    tree: Any = model.tree
    return text(tree.subgraphs[0].name) or _UNNAMED
