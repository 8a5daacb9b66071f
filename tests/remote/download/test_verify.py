"""What arrived against what is listed, by sizes and by hashes."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.verify import (
    check_listing,
    check_sha256,
    compare_with_listing,
    read_sha256sums,
)

SUM = hashlib.sha256(b"lungs").hexdigest()


def found(sizes: dict[str, int]) -> dict[str, FileStat]:
    return {name: FileStat(size, 0) for name, size in sizes.items()}


NAMES = st.dictionaries(st.sampled_from(["a", "d/a", "d/b", "e/b", "c"]), st.integers(1, 3))


@given(sizes=NAMES)
def test_what_is_listed_and_arrived_is_right(sizes: dict[str, int]) -> None:
    assert compare_with_listing(sizes, found(sizes)) == []


@given(sizes=NAMES, more=NAMES)
def test_what_is_not_listed_is_no_fault(sizes: dict[str, int], more: dict[str, int]) -> None:
    assert compare_with_listing(sizes, found({**more, **sizes})) == []


@given(sizes=NAMES.filter(bool), data=st.data())
def test_every_missing_or_changed_file_is_named(sizes: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sizes)))
    without = {other: size for other, size in sizes.items() if other != name}
    assert compare_with_listing(sizes, found(without)) == [f"{name} (missing)"]
    changed = sizes | {name: sizes[name] + 10}
    assert compare_with_listing(sizes, found(changed)) == [
        f"{name} ({sizes[name] + 10} bytes of {sizes[name]})"
    ]


def test_a_list_may_leave_out_folders_and_sizes() -> None:
    arrived = found({"top/x/1.png": 3, "top/y/1.png": 4, "top/z.csv": 5})
    assert compare_with_listing({"1.png": 3, "z.csv": 5}, arrived) == []
    assert compare_with_listing({"top/z.csv": 0}, arrived) == []
    # Two of one name and size are listed, and one is there.
    assert compare_with_listing({"x/1.png": 3, "y/1.png": 3}, arrived) == ["y/1.png (missing)"]


def test_a_difference_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"a \(missing\), b \(missing\), c .* and 1 more, in lungs"):
        check_listing(dict.fromkeys("abcd", 1), {}, "lungs")


def test_a_list_of_hashes_is_read_in_sha256sum_s_forms(tmp_path: Path) -> None:
    path = tmp_path / "sums"
    path.write_text(f"{SUM}  a b.png\n\n{SUM.upper()} *./d/c.png\r\n")
    assert read_sha256sums(path) == {"a b.png": SUM, "d/c.png": SUM}


@pytest.mark.parametrize("line", ["abc  x", f"{SUM}", f"{SUM} x", f"SHA256 (x) = {SUM}"])
def test_a_line_in_another_form_is_refused_by_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "sums"
    path.write_text(f"{SUM}  x\n{line}\n")
    with pytest.raises(DataError, match=r"line 2 of .*sums"):
        read_sha256sums(path)


def test_a_list_of_hashes_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere.*sha256sums"):
        read_sha256sums(tmp_path / "nowhere")


def test_hashes_are_compared(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"lungs")
    (tmp_path / "y").write_bytes(b"livers")
    files = {name: tmp_path / name for name in ("x", "y")}
    check_sha256({"x": SUM}, files, "the list", Silent())
    with pytest.raises(DataError, match=r"Received: y, z \(missing\), by the list"):
        check_sha256({"x": SUM, "y": SUM, "z": SUM}, files, "the list", Silent())
