"""What waits for a package neither imports it nor stands in its way."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package that says when it is executed."""
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "__init__.py").write_text("print('executed')\nvalue = 1\n")
    (tmp_path / "late" / "inner.py").write_text("")
    return tmp_path


def run(folder: Path, code: str) -> list[str]:
    """The lines that a fresh Python prints, errors as they come."""
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n"
    start += "from kagglecxr.core.late_import import when_imported\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", start + textwrap.dedent(code)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_it_follows_the_import_once(package: Path) -> None:
    lines = run(
        package,
        """
        when_imported("late", lambda: print("then", sys.modules["late"].value))
        before = list(sys.meta_path)
        import late
        print(len(before) - len(sys.meta_path), type(late.__loader__).__name__)
        print(late.__spec__.loader is late.__loader__)
        import late.inner, importlib
        importlib.reload(late)
        """,
    )
    assert lines == ["executed", "then 1", "1 SourceFileLoader", "True", "executed"]


def test_what_is_imported_already_is_followed_now(package: Path) -> None:
    lines = run(
        package,
        """
        import late
        before = list(sys.meta_path)
        when_imported("late", lambda: print("then"))
        print(before == sys.meta_path)
        """,
    )
    assert lines == ["executed", "then", "True"]


def test_who_only_looks_for_the_package_sees_it_as_it_is(package: Path) -> None:
    lines = run(
        package,
        """
        import importlib.util
        plain = importlib.util.find_spec("late")
        when_imported("late", lambda: print("then"))
        spec = importlib.util.find_spec("late")
        print(spec.origin == plain.origin)
        print(spec.submodule_search_locations == plain.submodule_search_locations)
        print(spec.loader.get_source("late").splitlines()[-1])
        print(importlib.util.find_spec("late_not_there"))
        import late
        """,
    )
    assert lines == ["True", "True", "value = 1", "None", "executed", "then"]


def test_a_package_that_is_not_there_is_not_there(package: Path) -> None:
    lines = run(
        package,
        """
        when_imported("not_there", lambda: print("then"))
        try:
            import not_there
        except ModuleNotFoundError as error:
            print(error.name)
        """,
    )
    assert lines == ["not_there"]


def test_an_import_that_failed_is_followed_when_it_succeeds(package: Path) -> None:
    (package / "late" / "__init__.py").write_text(
        "import sys\nif not hasattr(sys, 'ready'):\n    raise ImportError('not yet')\n"
    )
    lines = run(
        package,
        """
        when_imported("late", lambda: print("then"))
        try:
            import late
        except ImportError as error:
            print(error)
        sys.ready = True
        import late
        """,
    )
    assert lines == ["not yet", "then"]


def test_a_failure_of_what_follows_is_told_and_the_import_succeeds(package: Path) -> None:
    lines = run(
        package,
        """
        when_imported("late", lambda: 1 / 0)
        import late
        print(late.value)
        """,
    )
    assert lines[:2] == ["executed", "1"]
    assert "late" in lines[2]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_many_threads_may_import_at_once(package: Path) -> None:
    lines = run(
        package,
        """
        import threading
        when_imported("late", lambda: print("then"))
        threads = [threading.Thread(target=lambda: __import__("late")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """,
    )
    assert lines == ["executed", "then"]


def test_several_may_wait_for_one_package(package: Path) -> None:
    lines = run(
        package,
        """
        when_imported("late", lambda: print("first"))
        when_imported("late", lambda: print("second"))
        import late
        """,
    )
    assert lines == ["executed", "first", "second"]
