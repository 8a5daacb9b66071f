"""What a competition's own tables say and its TOML leaves out: labels and submissions."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, SettingError, shorten
from kagglecxr.core.labels import class_numbers
from kagglecxr.core.sample_answers import is_line_a_class, joined_by
from kagglecxr.core.submission_format import FORMATS, JOINED
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.layout import FoundImages
from kagglecxr.data.files.matching import column_of_ids
from kagglecxr.data.files.sample import SampleSubmission
from kagglecxr.data.schema import SubmissionSettings


def with_table_form(competition: Competition, images: FoundImages) -> Competition:
    """Returns the competition with what the table of labels says: whether an image has several.

    Raises:
        SettingError: [classes] or [submission] does not fit images with several labels.
        UnknownNameError: the metric is of the other kind of labels.
    """
    if images.multilabel:
        competition = competition.with_findings(images.findings)
    found = competition.classes.of_cells(images.table["label"])
    findings = competition.classes.names or found
    if competition.classes.multilabel and len(findings) == 1:
        raise SettingError(
            f"A single finding is a matter of two classes. Received: {findings[0]!r}. Leave "
            "multilabel out of [classes], and name its column under [layout] label_column; classes "
            "are 0 and 1."
        )
    competition.with_classes(found).evaluation_metric()
    return competition


def with_sample_form(
    competition: Competition,
    labels: list[str],
    sample: SampleSubmission | None,
    images: Sequence[str] = (),
) -> Competition:
    """Returns the competition with what its sample submission says and [submission] leaves out.

    Args:
        competition: as its TOML describes it.
        labels: the classes that were found, for a competition that names none.
        sample: its own sample submission.
        images: paths of its test images, by which the column of ids is known.

    Raises:
        DataError: its columns are not those of [submission], or its answers are no classes.
        SettingError: the metric needs probabilities, and the sample has none.
    """
    if sample is None:
        return competition
    columns, targets = list(sample.table.columns), competition.with_classes(labels).targets()
    settings = _completed(competition, sample, targets, images)
    wanted = settings.for_targets(targets).columns()
    none = competition.classes.none
    if competition.classes.multilabel and none in set(columns) - set(wanted):
        raise DataError(
            f"The sample submission asks for {none!r} like for a finding. Received: "
            f'{sample.path}. Write none = "-" under [classes], and list {none!r} under names if '
            "there are names."
        )
    if set(columns) != set(wanted):
        raise DataError(
            f"The columns of the sample submission are not those of [submission]. Received: "
            f"{sample.path} with {', '.join(columns)}; wanted {', '.join(wanted)}. Correct "
            "[submission] id, target and form, or [classes] names."
        )
    completed = competition.model_copy(update={"submission": settings})
    ids = list(sample.table[settings.id])
    if settings.form == "long" and ids and not is_line_a_class(ids, targets):
        raise DataError(
            f"The sample submission has no line for each image and class. Received: {sample.path} "
            f"with ids such as {ids[0]!r}. Write another form than long "
            "under [submission], or leave it out."
        )
    if settings.form == "class":
        _check_class_names(list(sample.table[settings.target]), targets, sample.path)
    metric = completed.evaluation_metric()
    if metric.needs_probabilities and not FORMATS[settings.form].holds_probabilities:
        raise SettingError(
            f"The metric needs probabilities, and the sample submission asks for names. "
            f"Received: metric {competition.metric.name} and {sample.path}. Write another metric, "
            "or a form such as probability under [submission]."
        )
    return completed


def describe_joined(competition: Competition) -> str:
    """Returns how submissions join findings, in a sentence; empty where they do not."""
    settings = competition.submission
    if settings.form != JOINED:
        return ""
    return (
        f" Submissions join findings by {settings.separator!r}, and {settings.none!r} is none of "
        "them ([submission] separator and none)."
    )


def _completed(
    competition: Competition,
    sample: SampleSubmission,
    targets: list[str],
    images: Sequence[str],
) -> SubmissionSettings:
    """The settings of [submission], and what the sample says where they are left out."""
    table = sample.table
    settings, given = competition.submission, competition.submission.model_fields_set
    said = {"id": settings.id if "id" in given else column_of_ids(table, images)}
    others = [column for column in table.columns if column != said["id"]]
    if len(others) == 1 and said["id"] in table:
        (said["target"],) = others
        if is_line_a_class(list(table[said["id"]]), targets):
            # It may be called a probability in the TOML, as it is one.
            return settings.model_copy(update={**said, "form": "long"})
        if competition.classes.multilabel:
            if others[0] not in targets and (settings.form == JOINED or "form" not in given):
                said |= _joined_form(competition, list(table[others[0]]), targets, sample.path)
        elif "form" not in given:
            needed = competition.evaluation_metric().needs_probabilities
            said["form"] = _form(list(table[others[0]]), targets, sample.path, needed)
        if others[0] in targets:
            # A column that is called like a class asks for its probability.
            said["positive"] = others[0]
    elif set(others) == set(targets):
        said["form"] = "one_column_a_class"
    return settings.model_copy(update={k: v for k, v in said.items() if k not in given})


def _form(answers: list[str], targets: list[str], sample: Path, is_probability: bool) -> str:
    """The form of the answers in a column that is not one of [submission].

    Raises:
        DataError: they are neither classes, nor their numbers, nor probabilities.
    """
    given = {answer for answer in answers if answer}
    numbers = pd.to_numeric(pd.Series(sorted(given), dtype=str), errors="coerce")
    are_probabilities = len(targets) == 2 and bool(numbers.between(0.0, 1.0).all())
    if is_probability and are_probabilities:
        return "probability"
    if given <= set(targets):
        return "class"
    if given <= set(map(str, class_numbers(targets))):
        return "class_id"
    if are_probabilities:
        return "probability"
    raise DataError(
        f"The answers of the sample submission have no known form. Received: {sample} with "
        f"{shorten(sorted(map(repr, given)))}; classes are {', '.join(targets)}. Write the form "
        "under [submission] form."
    )


def _joined_form(
    competition: Competition, answers: list[str], targets: list[str], sample: Path
) -> dict[str, str]:
    """The settings of [submission] that a column of joined findings says.

    Raises:
        DataError: they are no names of findings.
    """
    settings = competition.submission
    given = settings.model_fields_set
    told = {"separators": [settings.separator]} if "separator" in given else {}
    found = joined_by(answers, targets, settings.none, is_told="none" in given, **told)
    if found is None:
        raise DataError(
            f"The answers of the sample submission are no findings. Received: {sample} with "
            f"{shorten(sorted(set(map(repr, answers))))}; findings are {', '.join(targets)}. Write "
            "none and separator under [submission] as the sample has them, or the form."
        )
    return {"form": JOINED, "separator": found[0], "none": found[1]}


def _check_class_names(answers: list[str], targets: list[str], sample: Path) -> None:
    strange = sorted(set(answers) - {*targets, ""})
    if strange:
        raise DataError(
            f"The sample submission holds answers that are no class. Received: {sample} with "
            f"{shorten([repr(answer) for answer in strange])}; classes are {', '.join(targets)}. "
            "Correct [classes] names, or write another form under [submission], such as class_id."
        )
