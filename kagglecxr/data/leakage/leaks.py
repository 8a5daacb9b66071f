"""What would leak between images, and which training images have to go because of it.

Two things cannot be mended by splitting well. Copies of one image under two labels: one of the
labels is wrong, and nobody knows which. And training images that show a patient, or are copies of
an image, of a test part that the data bring themselves: the test part is never changed.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.data.leakage.duplicates import joined_groups

CONFLICT = "a copy carries another label"
TEST_COPY = "a copy of it is in the test part"
TEST_GROUP = "its patient or group is in the test part"
REASONS = [CONFLICT, TEST_COPY, TEST_GROUP]

LEFT_OUT = ["id", "path", "label", "reason", "other", "other_label", "distance", "correlation"]


@dataclass(frozen=True)
class Leaks:
    """What was found among all images, before any was left out.

    Attributes:
        images: how many there are.
        groups: how many groups they form, of images that never part.
        largest: the images of the largest group.
        origins: how many groups there are of each kind: told by patients or metadata alone,
            found by duplicates alone, joined from both, and single images.
        pairs: `first,second,distance,correlation,exact,across_labels,across_sources,across_splits`;
            labels are compared inside the training part alone, and what is unknown with nothing.
        left_out: `LEFT_OUT`, one line a training image that must not be trained on; `other` is
            the image because of which.
    """

    images: int
    groups: int
    largest: int
    origins: dict[str, int]
    pairs: pd.DataFrame
    left_out: pd.DataFrame

    def renamed(self, names: dict[str, str]) -> "Leaks":
        """The same with other ids: a test part may take those of its sample submission."""
        return replace(
            self,
            pairs=rename_ids(self.pairs, ["first", "second"], names),
            left_out=rename_ids(self.left_out, ["other"], names),
        )


def rename_ids(table: pd.DataFrame, columns: list[str], names: dict[str, str]) -> pd.DataFrame:
    """A table with the ids of some columns exchanged; an id without a new name keeps its own."""
    return table.assign(
        **{column: [names.get(name, name) for name in table[column]] for column in columns}
    )


def find_leaks(
    found: pd.DataFrame, told: list[str], pairs: pd.DataFrame, exact: npt.NDArray[np.bool_]
) -> Leaks:
    """What leaks between images.

    Args:
        found: `id,path,label,split,group,source`, one line an image; groups are joined ones.
        told: the group of each image before, as patients or metadata told it; empty if not.
        pairs: `first,second,distance,correlation` of duplicates.
        exact: which pairs are copies byte for byte.
    """
    size = found.groupby("group")["id"].size()
    copied = found["id"].isin(pd.concat([pairs["first"], pairs["second"]]))
    by_duplicates = copied.groupby(found["group"]).any()
    by_telling = pd.Series(np.array(told) != "", index=found.index).groupby(found["group"]).any()
    several = size > 1
    origins = {
        "told by patients or metadata": int((several & by_telling & ~by_duplicates).sum()),
        "found by duplicates": int((several & ~by_telling & by_duplicates).sum()),
        "joined from both": int((several & by_telling & by_duplicates).sum()),
        "of a single image": int((~several).sum()),
    }
    return Leaks(
        images=len(found),
        groups=len(size),
        largest=int(size.max()) if len(size) else 0,
        origins=origins,
        pairs=_compared(found, pairs).assign(exact=exact),
        left_out=training_images_to_leave_out(found, pairs),
    )


def training_images_to_leave_out(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The training images that leak, with the reason: `LEFT_OUT`, in the order of `found`.

    Copies are those connected by duplicates, directly or by a chain. Two labels of one *patient*
    are no conflict: the patient may have had two diseases.

    Args:
        found: `id,path,label,split,group`, one line an image; groups are joined ones.
        pairs: `first,second,distance,correlation` of duplicates.
    """
    ids = list(found["id"])
    found = found.assign(copies=joined_groups(ids, [""] * len(ids), pairs))
    train = found["split"] == "train"
    labels = found["label"].where(train & (found["label"] != ""))
    reason = np.select(
        [
            train & (labels.groupby(found["copies"]).transform("nunique") > 1),
            train & found["copies"].isin(found.loc[~train, "copies"]),
            train & found["group"].isin(found.loc[~train, "group"]),
        ],
        REASONS,
        default="",
    )
    out = found.assign(reason=reason)[reason != ""]
    return _with_the_other(out, found, pairs)[LEFT_OUT]


def _with_the_other(out: pd.DataFrame, found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Names for each image the one because of which it goes: the nearest copy if there is one."""
    image = found.add_prefix("other_").rename(columns={"other_id": "other"})
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both.rename(columns={"first": "id", "second": "other"})
    both = both.sort_values(["correlation", "distance", "other"], ascending=[False, True, True])
    direct = out.merge(both, on="id").merge(image, on="other")
    # Copies by a chain have no pair of their own.
    heads = image.drop_duplicates(["other_copies", "other_label", "other_split"])
    chained = out.merge(heads, left_on="copies", right_on="other_copies")
    tested = image[image["other_split"] == "test"].drop_duplicates("other_group")
    grouped = out.merge(tested, left_on="group", right_on="other_group")
    able = pd.concat([direct, chained, grouped], ignore_index=True)
    trained = able["other_split"] == "train"
    conflict = trained & (able["other_label"] != able["label"])
    able["other_label"] = able["other_label"].where(trained, "")
    # A whole number also where an image without a pair of its own has none.
    able["distance"] = able["distance"].astype("Int64")
    able = able[np.where(able["reason"] == CONFLICT, conflict, ~trained)]
    return able.drop_duplicates("id").set_index("id").loc[out["id"]].reset_index()


def _compared(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    image = found.set_index("id")
    first, second = image.loc[pairs["first"]], image.loc[pairs["second"]]

    def differ(column: str) -> npt.NDArray[np.bool_]:
        one, other = first[column].to_numpy(), second[column].to_numpy()
        return np.asarray((one != other) & (one != "") & (other != ""), np.bool_)

    trained = (first["split"].to_numpy() == "train") & (second["split"].to_numpy() == "train")
    return pairs.assign(
        across_labels=differ("label") & trained,
        across_sources=differ("source"),
        across_splits=differ("split"),
    )
