"""Makes a kernel's script of its template: one file, its settings filled in."""

import ast
import contextlib
import re
from collections.abc import Mapping
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error

SCRIPTS = Path(__file__).parent / "scripts"
NOT_MEASURED = "not measured yet"
_BOOTSTRAP = "opening"


def render_script(name: str, settings: Mapping[str, object], expected: str = NOT_MEASURED) -> str:
    """The text of a script, which needs nothing of the kit until it has installed it.

    Args:
        name: train, tune or submit.
        settings: values of constants at its top; the others stay as they are.
        expected: what its docstring says of score and time.

    Raises:
        UnknownNameError: it has no such setting.
    """
    template, opening = _Template.read(name), _Template.read(_BOOTSTRAP)
    imports = {line for part in (template, opening) for line in part.imports}
    parts = [
        template.docstring.replace(NOT_MEASURED, expected),
        "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line))),
        template.constants,
        opening.constants,
        f"\n{opening.functions}\n",
        template.functions,
    ]
    return set_constants("\n\n".join(parts) + "\n", settings)


def set_constants(script: str, settings: Mapping[str, object]) -> str:
    """A script with other values of constants at its top; comments stay.

    Raises:
        SettingError: it is no Python.
        UnknownNameError: it has no such constant.

    >>> with_settings("FOLD = None  # all of them", {"FOLD": 3})
    'FOLD = 3  # all of them'
    """
    try:
        tree = ast.parse(script)
    except SyntaxError as error:
        raise SettingError(
            f"A kernel's script is no Python. Received: line {error.lineno}, {error.msg}. Mend it, "
            "or run kernel build again."
        ) from error
    values = {target.id: value for target, value in _constants(tree)}
    for name in settings:
        if name not in values:
            raise unknown_name_error("setting of that script", name, values)
    # Not `splitlines`, to which more characters end a line than to Python's own reader.
    lines = script.split("\n")
    # From the end on, so that what comes before stays where it is.
    for name in sorted(settings, key=lambda name: -values[name].lineno):
        node = values[name]
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        # Python counts a line's bytes.
        before = lines[first].encode()[: node.col_offset].decode()
        after = lines[last].encode()[node.end_col_offset :].decode()
        lines[first : last + 1] = [f"{before}{_literal(settings[name])}{after}"]
    return "\n".join(lines)


class _Template:
    """A template taken apart, each part without the empty lines around it."""

    def __init__(self, text: str) -> None:
        body = ast.parse(text).body
        imported = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        defined = next(node for node in body if isinstance(node, ast.FunctionDef))
        lines = text.splitlines()

        def between(first: int, end: int | None) -> str:
            return "\n".join(lines[first:end]).strip()

        self.docstring = between(0, body[0].end_lineno)
        # The opening itself is put in where it is imported.
        self.imports = [
            between(node.lineno - 1, node.end_lineno)
            for node in imported
            if not (isinstance(node, ast.ImportFrom) and str(node.module).endswith(_BOOTSTRAP))
        ]
        self.constants = between(imported[-1].end_lineno or 0, defined.lineno - 1)
        self.functions = between(defined.lineno - 1, None)

    @classmethod
    def read(cls, name: str) -> "_Template":
        return cls((SCRIPTS / f"{name}.py").read_text(encoding="utf-8"))


def _constants(tree: ast.Module) -> list[tuple[ast.Name, ast.expr]]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found += [(name, node.value) for name in node.targets]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found.append((node.target, node.value))
    return [(name, value) for name, value in found if isinstance(name, ast.Name)]


def _literal(value: object) -> str:
    """A value as Python; a text of several lines as a person can read and edit it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str) and re.sub(r"[\n\t]", "", value).isprintable():
        literal = f'r"""{value}"""' if "\n" in value else f'"{value}"'
        with contextlib.suppress(SyntaxError, ValueError):
            # Quotes or backslashes in it may mean something else there.
            if ast.literal_eval(literal) == value:
                return literal
    return repr(value)
