"""What a competition's own sample submission says of the form of submissions."""

from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.labels import class_numbers
from kagglecxr.core.submission_format import is_line_a_class
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.tables import read_any_table


def own_sample(root: Path, competition: Competition) -> Path | None:
    """Returns the competition's own sample submission, if its TOML names one.

    Raises:
        MissingError: there is none of that name.
    """
    if not competition.layout.sample:
        return None
    path = root / competition.layout.sample
    if not path.is_file():
        raise MissingError(
            f"The sample submission of [layout] sample does not exist. Received: {path}. "
            f"Correct the name; there is {shorten(_tables(root)) or 'no table'}."
        )
    return path


def with_sample_form(
    competition: Competition, labels: list[str], sample: Path | None
) -> Competition:
    """Returns the competition with what its sample submission says and [submission] leaves out.

    `labels` are the classes that were found, for a competition that names none.

    Raises:
        DataError: its columns are not those of [submission], or its answers are no classes.
    """
    if sample is None:
        return competition
    table = read_any_table(sample)
    columns = list(table.columns)
    targets = competition.with_classes(labels).targets()
    said: dict[str, str] = {"id": columns[0]}
    if len(columns) == 2:
        said["target"] = columns[1]
    elif set(columns[1:]) == set(targets):
        said["form"] = "one_column_a_class"
    given = competition.submission.model_fields_set
    new = {name: value for name, value in said.items() if name not in given}
    if len(columns) == 2 and is_line_a_class(list(table[columns[0]]), targets):
        new["form"] = "one_line_a_class"
    elif len(columns) == 2 and "form" not in given:
        new["form"] = _form_of_answers(list(table[columns[1]]), targets, sample)
    settings = competition.submission.model_copy(update=new)
    wanted = settings.for_targets(targets).columns()
    if set(columns) != set(wanted):
        raise DataError(
            f"The columns of the sample submission are not those of [submission]. Received: "
            f"{sample} with {', '.join(columns)}; wanted {', '.join(wanted)}. Correct [submission] "
            "id, target and form, or [classes] names."
        )
    if settings.form == "class":
        _check_class_names(list(table[settings.target]), targets, sample)
    return competition.model_copy(update={"submission": settings})


def _form_of_answers(answers: list[str], targets: list[str], sample: Path) -> str:
    """The form of the answers in a column that is not one of [submission].

    Raises:
        DataError: they are neither classes, nor their numbers, nor probabilities.
    """
    given = {answer for answer in answers if answer}
    numbers = pd.to_numeric(pd.Series(sorted(given), dtype=str), errors="coerce")
    if given <= set(targets):
        return "class"
    if given <= set(map(str, class_numbers(targets))):
        return "class_id"
    if numbers.between(0.0, 1.0).all() and len(targets) == 2:
        return "probability"
    raise DataError(
        f"The answers of the sample submission have no known form. Received: {sample} with "
        f"{shorten(sorted(map(repr, given)))}; classes are {', '.join(targets)}. Write the form "
        "under [submission] form."
    )


def _check_class_names(answers: list[str], targets: list[str], sample: Path) -> None:
    strange = sorted(set(answers) - {*targets, ""})
    if strange:
        raise DataError(
            f"The sample submission holds answers that are no class. Received: {sample} with "
            f"{shorten([repr(answer) for answer in strange])}; classes are {', '.join(targets)}. "
            "Correct [classes] names, or write another form under [submission], such as class_id."
        )


def _tables(root: Path) -> list[str]:
    found = [*root.glob("*.csv"), *root.glob("*/*.csv")]
    return [path.relative_to(root).as_posix() for path in sorted(found)]
