"""The package's imports have no circle, between modules nor between the parts of a folder.

import-linter checks the layers. This covers what it does not see: circles inside a layer, and
scripts in folders without `__init__.py`. Imports inside functions count too.
"""

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import kagglecxr

PACKAGE = Path(kagglecxr.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
FOLDERS = sorted({name.rpartition(".")[0] for name in FILES if "." in name})

Graph = dict[str, set[str]]


def imported_modules(tree: ast.AST) -> set[str]:
    """The modules of the package that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in FILES else str(node.module) for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(FILES)


GRAPH: Graph = {name: imported_modules(tree) - {name} for name, tree in TREES.items()}


def parts_of(folder: str) -> Graph:
    """The imports between the modules and sub-folders of a folder."""
    depth = folder.count(".") + 2

    def part(name: str) -> str:
        return ".".join(name.split(".")[:depth]) if name.startswith(f"{folder}.") else ""

    parts: Graph = {}
    for name, targets in GRAPH.items():
        if part(name):
            parts.setdefault(part(name), set()).update(map(part, targets))
    return {name: targets - {name, ""} for name, targets in parts.items()}


def circle(graph: Graph) -> list[str]:
    """The names on a circle; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == {"b", "c"}


def test_imports_inside_functions_and_scripts_are_seen() -> None:
    tree = ast.parse(
        "def f():\n    from kagglecxr.core import files\n    import kagglecxr.core.cli"
    )
    assert imported_modules(tree) == {"kagglecxr.core.files", "kagglecxr.core.cli"}
    assert any(not (path.parent / "__init__.py").exists() for path in FILES.values())


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(GRAPH) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_parts_of_a_folder_form_no_circle(folder: str) -> None:
    assert circle(parts_of(folder)) == []


def test_a_public_class_name_stands_once() -> None:
    names = Counter(
        node.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []
