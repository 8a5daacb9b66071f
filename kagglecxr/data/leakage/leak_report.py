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


def leak_report(leaks: Leaks, parts: pd.DataFrame) -> str:
    """Writes the report as Markdown.

    `parts` is `part,label,source` of every image that remains: a part is a fold or "test", unknown
    labels and sources are empty.
    """
    paragraphs = [
        "# Leaks",
        "A score can be trusted only if no scored image, and no other image of its patient, was "
        "seen in training. This is what was looked for and found.",
        *_groups(leaks),
        *_duplicates(leaks),
        *_left_out(leaks),
        *_splits(parts),
    ]
    return "\n\n".join(paragraphs) + "\n"


def left_out_sentence(left_out: pd.DataFrame, file: str) -> str:
    """Says how many training images are left out and why, in one line."""
    counts = [(int((left_out["reason"] == reason).sum()), reason) for reason in REASONS]
    why = "; ".join(f"{count} since {reason}" for count, reason in counts if count)
    return f"Left out of training: {why}. They are listed in {file}."


def _groups(leaks: Leaks) -> list[str]:
    kinds = [f"- groups {kind}: {count}" for kind, count in leaks.origins.items()]
    return [
        "## Groups",
        "Images of one patient, or copies of one image, form a group. A group is never split "
        "between two folds, or between training and test set.",
        "\n".join(
            [
                f"- images: {leaks.images}",
                f"- groups: {leaks.groups}",
                f"- images of the largest group: {leaks.largest}",
                *kinds,
            ]
        ),
    ]


def _duplicates(leaks: Leaks) -> list[str]:
    pairs = leaks.pairs
    exact = int(pairs["exact"].sum())
    parts = [
        "## Copies",
        "Two images count as copies if their perceptual hashes differ in at most "
        f"{HASH_DISTANCE} of 64 bits and their thumbnails correlate by {CORRELATION} or more. "
        "Copies that were cropped, rotated or flipped may not be found.",
        "\n".join(
            [
                f"- pairs that are the same file twice: {exact}",
                f"- pairs that were resaved, resized or changed in brightness: "
                f"{len(pairs) - exact}",
                f"- pairs under two labels: {int(pairs['across_labels'].sum())}",
                f"- pairs from two sources: {int(pairs['across_sources'].sum())}",
                "- pairs of a training and a test image, if the data come with a test set: "
                f"{int(pairs['across_splits'].sum())}",
            ]
        ),
    ]
    near = pairs[~pairs["exact"]].sort_values(["correlation", "first", "second"])
    if len(near):
        shown = near[["first", "second", "distance", "correlation"]]
        parts += [f"The least similar pairs that are not the same file{_most(shown)}:"]
        parts += [_table(shown.head(SHOWN))]
    return parts


def _left_out(leaks: Leaks) -> list[str]:
    out = leaks.left_out
    if out.empty:
        return ["## Left out of training", "Nothing had to be left out."]
    parts = [
        "## Left out of training",
        f"Images left out: {len(out)} of {leaks.images}. left_out.csv lists them all.",
    ]
    for reason in REASONS:
        some = out[out["reason"] == reason]
        if len(some):
            shown = some[["id", "label", "other", "other_label"]]
            shown = shown if reason == CONFLICT else shown.drop(columns="other_label")
            parts += [
                f"### {reason.capitalize()}: {len(some)}",
                EXPLAINED[reason] + (f" Shown{_most(shown)}." if len(shown) > SHOWN else ""),
                _table(shown.head(SHOWN)),
            ]
    return parts


def _splits(parts: pd.DataFrame) -> list[str]:
    named = parts.replace({"label": {"": "unknown"}, "source": {"": "unknown"}})
    counts = pd.crosstab([named["label"], named["source"]], named["part"]).reset_index()
    return ["## Splits", "Images of each class and source in each part:", _table(counts)]


def _most(table: pd.DataFrame) -> str:
    return f", {SHOWN} of {len(table)}" if len(table) > SHOWN else ""


def _table(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)


def _cell(value: object) -> str:
    # A file name may hold the character that ends a Markdown cell.
    return str(value).replace("|", "\\|")
