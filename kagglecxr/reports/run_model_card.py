"""The model card of a run in Markdown (Mitchell et al. 2019, "Model cards for model reporting")."""

from collections.abc import Mapping

from kagglecxr.core.run_record import RunRecord
from kagglecxr.data.competition import Competition

NOT_FOR_DIAGNOSIS = (
    "Not a medical device and not for diagnosis. Out-of-fold scores are of images from the "
    "hospitals that the run learned from; elsewhere they may be far lower."
)


def model_card(record: RunRecord, competition: Competition, summary: Mapping[str, str]) -> str:
    """Returns what a run is, what it learned from, what it is for and how good it is.

    Args:
        record: of the run.
        competition: whose images it learned from.
        summary: its figures as text, by title.
    """
    height, width, channels = record.input_shape
    grey = "grey" if channels == 1 else f"{channels}-channel"
    kind = competition.source.kind
    origin = competition.title or competition.source.slug or competition.name
    pipeline = record.pipeline or "an older version"
    classes = "\n".join(f"- {name}" for name in record.targets)
    lines = [(title, value.replace("|", r"\|")) for title, value in summary.items()]
    figures = "\n".join(f"| {title} | {value} |" for title, value in lines)
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"""# {record.name}

{NOT_FOR_DIAGNOSIS}

## What it is

`{record.model}` with {record.parameters.get("all", 0):,} parameters, {record.folds} folds, for
{grey} images of {width} x {height} pixels, prepared by `{pipeline}`. It maps an image to
probabilities of

{classes}

## What it learned from

{origin} ({kind}). Labels, patients and sources are those of that collection, whatever they are
worth. In public collections each class often came from another hospital.

## What it is for

Competitions, teaching, and research on such models: to rank images of the same collection. Not
for patients, nor for images of another kind: lateral views, CT, other parts of the body. `predict`
tells images that look unlike the training set's.

## How good it is

| | |
|---|---|
{figures}

## How it was made

Seed {record.seed}, recipe in `recipe.json`; {versions}.
"""
