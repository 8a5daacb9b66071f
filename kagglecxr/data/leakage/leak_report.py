"""The leaks that were found and what was done about them, in plain sentences."""

import pandas as pd

from kagglecxr.data.leakage.duplicates import CORRELATION, HASH_DISTANCE
from kagglecxr.data.leakage.leaks import CONFLICT, REASONS, TEST_COPY, TEST_GROUP, Leaks

SHOWN = 20
"""Lines of a table at most."""

EXPLAINED = {
    CONFLICT: "One of the labels is wrong and nothing here tells which, so all copies go.",
    TEST_COPY: "Training on it would be training on the answer; the test part is never changed.",
    TEST_GROUP: "A model that knows the patient is not tested by the patient's other images.",
}


def leak_report(leaks: Leaks, places: pd.DataFrame) -> str:
    """The report as Markdown.

    Args:
        leaks: what was found.
        places: `place,label,source` of every image that stayed; a place is a fold or the test
            part, a label or a source is empty where unknown.
    """
    parts = [
        "# Leaks",
        "A score can be trusted only if no image of the part that is scored, and no other image "
        "of its patient, was seen in training. This is what was looked for and found.",
        *_groups(leaks),
        *_duplicates(leaks),
        *_left_out(leaks),
        *_splits(places),
    ]
    return "\n\n".join(parts) + "\n"


def left_out_sentence(left_out: pd.DataFrame, where: str) -> str:
    """How many training images are left out and why, in one line.

    Args:
        left_out: one line an image, with its `reason`; not empty.
        where: they are listed.
    """
    counts = [(int((left_out["reason"] == reason).sum()), reason) for reason in REASONS]
    why = "; ".join(f"{count} since {reason}" for count, reason in counts if count)
    return f"Left out of training: {why}. They are listed in {where}."


def _groups(leaks: Leaks) -> list[str]:
    kinds = [f"- groups {kind}: {count}" for kind, count in leaks.origins.items()]
    return [
        "## Groups",
        "Images of one patient, or copies of one image, form a group. A group is never divided "
        "between two folds, or between training and test part.",
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
        "Two images are taken for copies when their perceptual hashes differ in at most "
        f"{HASH_DISTANCE} of 64 bits and their thumbnails correlate by {CORRELATION} or more. "
        "Copies that were cropped, turned or mirrored can stay unfound.",
        "\n".join(
            [
                f"- pairs that are the same file twice: {exact}",
                "- pairs that were resaved, resized or changed in brightness: "
                f"{len(pairs) - exact}",
                f"- pairs under two labels: {int(pairs['across_labels'].sum())}",
                f"- pairs from two sources: {int(pairs['across_sources'].sum())}",
                "- pairs of a training and a test image, where the data bring a test part: "
                f"{int(pairs['across_splits'].sum())}",
            ]
        ),
    ]
    near = pairs[~pairs["exact"]].sort_values(["correlation", "first", "second"])
    if len(near):
        shown = near[["first", "second", "distance", "correlation"]]
        parts += [f"The least alike among those that are not the same file{_most(shown)}:"]
        parts += [_table(shown.head(SHOWN))]
    return parts


def _left_out(leaks: Leaks) -> list[str]:
    out = leaks.left_out
    if out.empty:
        return ["## Left out of training", "Nothing had to be left out."]
    parts = [
        "## Left out of training",
        f"Images left out: {len(out)} of {leaks.images}. left_out.csv names them all.",
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


def _splits(places: pd.DataFrame) -> list[str]:
    named = places.assign(
        label=places["label"].where(places["label"] != "", "not told"),
        source=places["source"].where(places["source"] != "", "not told"),
    )
    counts = pd.crosstab([named["label"], named["source"]], named["place"]).reset_index()
    return ["## Splits", "Images of each class and source in each part:", _table(counts)]


def _most(table: pd.DataFrame) -> str:
    return f", {SHOWN} of {len(table)}" if len(table) > SHOWN else ""


def _table(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)


def _cell(value: object) -> str:
    # A file name may hold what Markdown takes for the end of a cell.
    return str(value).replace("|", "\\|")
