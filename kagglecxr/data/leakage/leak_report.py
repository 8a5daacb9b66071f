"""The report on leaks and what was done about them, as Markdown."""

import pandas as pd

from kagglecxr.data.leakage.duplicates import CORRELATION, HASH_DISTANCE
from kagglecxr.data.leakage.leaks import CONFLICT, REASONS, TEST_COPY, TEST_GROUP, Leaks

SHOWN = 20
"""Maximum number of rows of a table."""

EXPLAINED = {
    CONFLICT: "One of the labels is wrong, and it is unknown which, so all copies are left out.",
    TEST_COPY: "Training on it would be training on the answer; the test set is never changed.",
    TEST_GROUP: "A model that knows the patient is not tested by the patient's other images.",
}

REPORT = """# Leaks

A score can be trusted only if no scored image, and no other image of its patient, was seen in
training. This is what was looked for and found.

## Groups

Images of one patient, or copies of one image, form a group. A group is never split between two
folds, or between training and test set.

- images: {leaks.images}
- groups: {leaks.groups}
- images of the largest group: {leaks.largest}
{origins}

## Copies

Two images count as copies if their perceptual hashes differ in at most {distance} of 64 bits and
their thumbnails correlate by {correlation} or more. Copies that were cropped, rotated or flipped
may not be found.

- pairs that are the same file twice: {exact}
- pairs that were resaved, resized or changed in brightness: {near}
- pairs under two labels: {across_labels}
- pairs from two sources: {across_sources}
- pairs of a training and a test image, if the data come with a test set: {across_splits}

{least_similar}## Left out of training

{left_out}

## Splits

Images of each class and source in each part:

{splits}
"""


def leak_report(leaks: Leaks, parts: pd.DataFrame) -> str:
    """Writes the report as Markdown.

    `parts` is `part,label,source` of every image that remains: a part is a fold or "test", unknown
    labels and sources are empty.
    """
    pairs = leaks.pairs
    near = pairs[~pairs["exact"]].sort_values(["correlation", "first", "second"])
    near = near[["first", "second", "distance", "correlation"]]
    heading = f"The least similar pairs that are not the same file{_most(near)}:\n\n"
    named = parts.replace({"label": {"": "unknown"}, "source": {"": "unknown"}})
    counts = pd.crosstab([named["label"], named["source"]], named["part"]).reset_index()
    return REPORT.format(
        leaks=leaks,
        origins="\n".join(f"- groups {kind}: {count}" for kind, count in leaks.origins.items()),
        distance=HASH_DISTANCE,
        correlation=CORRELATION,
        exact=len(pairs) - len(near),
        near=len(near),
        across_labels=int(pairs["across_labels"].sum()),
        across_sources=int(pairs["across_sources"].sum()),
        across_splits=int(pairs["across_splits"].sum()),
        least_similar=heading + _table(near) + "\n\n" if len(near) else "",
        left_out=_left_out(leaks),
        splits=_table(counts, len(counts)),
    )


def left_out_sentence(left_out: pd.DataFrame, file: str) -> str:
    """Says how many training images are left out and why, in one line."""
    counts = [(int((left_out["reason"] == reason).sum()), reason) for reason in REASONS]
    why = "; ".join(f"{count} since {reason}" for count, reason in counts if count)
    return f"Left out of training: {why}. They are listed in {file}."


def _left_out(leaks: Leaks) -> str:
    out = leaks.left_out
    if out.empty:
        return "Nothing had to be left out."
    parts = [f"Images left out: {len(out)} of {leaks.images}. left_out.csv lists them all."]
    for reason in REASONS:
        shown = out.loc[out["reason"] == reason, ["id", "label", "other", "other_label"]]
        if len(shown):
            shown = shown if reason == CONFLICT else shown.drop(columns="other_label")
            more = f" Shown{_most(shown)}." if len(shown) > SHOWN else ""
            heading = f"### {reason.capitalize()}: {len(shown)}"
            parts += [heading, EXPLAINED[reason] + more, _table(shown)]
    return "\n\n".join(parts)


def _most(table: pd.DataFrame) -> str:
    return f", {SHOWN} of {len(table)}" if len(table) > SHOWN else ""


def _table(table: pd.DataFrame, rows: int = SHOWN) -> str:
    columns = list(table.columns)
    cells = [columns, ["---"] * len(columns), *table.head(rows).to_numpy().tolist()]
    # A file name may hold the character that ends a Markdown cell.
    lines = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in cells]
    return "\n".join(f"| {line} |" for line in lines)
