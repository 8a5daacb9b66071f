"""A script is one file that stands alone, with its settings filled in and nothing else changed."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.remote.kernels.templates import render_script, set_constants

NAMES = ("train", "tune", "submit", "rehearse")
LONGEST = 100


def values(script: str) -> dict[str, object]:
    """The constants at a script's top that hold plain values."""
    found: dict[str, object] = {}
    for node in ast.parse(script).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert isinstance(target, ast.Name)
            try:
                found[target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_script_imports_nothing_of_the_kit_until_it_has_installed_it(name: str) -> None:
    tree = ast.parse(render_script(name, {}))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in top
        for alias in node.names
    }
    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names
    assert isinstance(tree.body[-1], ast.If)
    calls = [ast.unparse(statement) for statement in tree.body[-1].body]
    assert calls == ["install_wheels()", "main()"]


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_short_and_says_at_its_top_what_it_does_and_takes(name: str) -> None:
    script = render_script(name, {}, "accuracy 0.9312 out of fold, 40 minutes")
    assert len(script.splitlines()) < LONGEST
    docstring = ast.get_docstring(ast.parse(script)) or ""
    assert "Expected: accuracy 0.9312 out of fold, 40 minutes." in docstring
    assert "Expected: not measured yet." in render_script(name, {})
    order = [script.index(part) for part in ("COMPETITION =", "INPUT =", "def install_wheels")]
    assert order == sorted(order)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_as_tidy_as_the_kit(name: str, tmp_path: Path) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    path = tmp_path / f"{name}.py"
    path.write_text(render_script(name, {"COMPETITION": 'name = "x"\n', "PIPELINE": "gray"}))
    config = str(Path(__file__).parents[3] / "pyproject.toml")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "--config", config, str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(text=st.text(st.sampled_from("a=\n\"'\\# \té\r\0{}%"), max_size=12))
def test_any_text_arrives_as_it_was(name: str, text: str) -> None:
    script = render_script(name, {"COMPETITION": text, "PIPELINE": text})
    assert values(script)["COMPETITION"] == text
    assert values(script)["PIPELINE"] == text


@settings(deadline=None)
@given(
    fold=st.none() | st.integers(0, 99),
    changes=st.lists(st.text(max_size=5), max_size=3),
    text=st.text(max_size=20),
)
def test_settings_are_changed_alone_and_again(
    fold: int | None, changes: list[str], text: str
) -> None:
    before = render_script("train", {"COMPETITION": 'name = "x"\nfolder = 1\n'})
    chosen: dict[str, object] = {"FOLD": fold, "CHANGES": changes, "COMPETITION": text}
    after = set_constants(before, chosen)
    assert values(after) == values(before) | chosen
    assert set_constants(after, {k: values(before)[k] for k in chosen}) == before


def test_a_fold_s_script_differs_in_one_line() -> None:
    whole = render_script("train", {}).splitlines()
    fold = set_constants(render_script("train", {}), {"FOLD": 3}).splitlines()
    assert [new for old, new in zip(whole, fold, strict=True) if old != new] == [
        "FOLD = 3  # the number of the one fold to train; defaults to all"
    ]


def test_a_toml_file_can_be_read_and_edited_in_the_script() -> None:
    text = "name = \"lungs\"\n[layout]\npatient = '^(person\\d+)'\n"
    assert f'COMPETITION = r"""{text}"""' in render_script("submit", {"COMPETITION": text})


def test_what_a_script_has_not_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="FOLD"):
        render_script("train", {"FOLT": 3})
    with pytest.raises(SettingError, match="line 2"):
        set_constants("FOLD = 1\nFOLD = = 2\n", {"FOLD": 3})
