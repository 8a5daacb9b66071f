"""Renders a kernel's script from its template: one file with its settings filled in."""

import ast
import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error

SCRIPTS = Path(__file__).parent / "scripts"
NOT_MEASURED = "not measured yet"
_BOOTSTRAP = "bootstrap"


def render_script(name: str, settings: Mapping[str, object], expected: str = NOT_MEASURED) -> str:
    """Renders a script that imports nothing of the package until it has installed it.

    Args:
        name: train, tune or submit.
        settings: values of constants at the script's top; the others keep their defaults.
        expected: score and duration, for its docstring.

    Raises:
        UnknownNameError: the script has no such constant.
    """
    template, bootstrap = _Template.read(name), _Template.read(_BOOTSTRAP)
    imports = {line for part in (template, bootstrap) for line in part.imports}
    parts = [
        template.docstring.replace(NOT_MEASURED, expected),
        "\n".join(sorted(imports, key=lambda line: (line.startswith("from"), line))),
        template.constants,
        bootstrap.constants,
        f"\n{bootstrap.functions}\n",
        template.functions,
    ]
    return set_constants("\n\n".join(parts) + "\n", settings)


def set_constants(script: str, settings: Mapping[str, object]) -> str:
    """Changes the values of constants at a script's top; comments are kept.

    Raises:
        SettingError: the script is not valid Python.
        UnknownNameError: it has no such constant.

    >>> set_constants("FOLD = None  # defaults to all", {"FOLD": 3})
    'FOLD = 3  # defaults to all'
    """
    try:
        tree = ast.parse(script)
    except SyntaxError as error:
        raise SettingError(
            f"A kernel's script is not valid Python. Received: line {error.lineno}, {error.msg}. "
            "Correct it, or run kernel build again."
        ) from error
    values = dict(_constants(tree))
    for name in settings:
        if name not in values:
            raise unknown_name_error("setting of that script", name, values)
    # Not `splitlines`, which ends a line at more characters than Python's own parser does.
    lines = script.split("\n")
    # From the end on, so that the positions of what comes before stay valid.
    for name in sorted(settings, key=lambda name: -values[name].lineno):
        node = values[name]
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        # Python counts the bytes of a line.
        before = lines[first].encode()[: node.col_offset].decode()
        after = lines[last].encode()[node.end_col_offset :].decode()
        lines[first : last + 1] = [f"{before}{_literal(settings[name])}{after}"]
    return "\n".join(lines)


def read_constant(script: str, name: str) -> object:
    """Returns the value of a constant at a script's top; None if there is none that is a literal.

    >>> read_constant("FOLD = 3  # of five", "FOLD")
    3
    """
    with contextlib.suppress(SyntaxError, ValueError, KeyError):
        return ast.literal_eval(dict(_constants(ast.parse(script)))[name])
    return None


class _Template:
    """The parts of a template, each without the empty lines around it."""

    def __init__(self, text: str) -> None:
        body = ast.parse(text).body
        imported = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        defined = next(node for node in body if isinstance(node, ast.FunctionDef))
        lines = text.splitlines()

        def between(first: int, end: int | None) -> str:
            return "\n".join(lines[first:end]).strip()

        self.docstring = between(0, body[0].end_lineno)
        # The bootstrap's code replaces its import.
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


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _literal(value: object) -> str:
    """A value as Python source; a text of several lines in a form that can be read and edited."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str) and re.sub(r"[\n\t]", "", value).isprintable():
        literal = f'r"""{value}"""' if "\n" in value else f'"{value}"'
        with contextlib.suppress(SyntaxError, ValueError):
            # Quotes or backslashes in it may change its meaning.
            if ast.literal_eval(literal) == value:
                return literal
    return repr(value)
