"""What leaks between images, and which training images must be left out because of it.

Two kinds of leaks cannot be avoided by a good split. If copies of one image have two labels, one
of the labels is wrong, and it is unknown which. And training images may be copies of images, or
show patients, of a test set that comes with the data, which must not be changed.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.data.leakage.duplicates import joined_groups

CONFLICT = "a copy carries another label"
TEST_COPY = "a copy of it is in the test set"
TEST_GROUP = "its patient or group is in the test set"
REASONS = [CONFLICT, TEST_COPY, TEST_GROUP]

LEFT_OUT = ["id", "path", "label", "reason", "other", "other_label", "distance", "correlation"]


@dataclass(frozen=True)
class Leaks:
    """What was found among all images, before any was left out.

    Attributes:
        groups: the number of groups, whose images are never split.
        largest: the number of images in the largest group.
        origins: the number of groups of each kind.
        pairs: `first,second,distance,correlation,exact,across_labels,across_sources,across_splits`;
            labels are compared in the training set only, and unknown values never differ.
        left_out: `LEFT_OUT`, one row per training image that must not be used; `other` is the image
            because of which.
    """

    images: int
    groups: int
    largest: int
    origins: dict[str, int]
    pairs: pd.DataFrame
    left_out: pd.DataFrame

    def renamed(self, names: dict[str, str]) -> "Leaks":
        """Returns a copy with other ids, since test images may take those of the sample."""
        return replace(
            self,
            pairs=rename_ids(self.pairs, ["first", "second"], names),
            left_out=rename_ids(self.left_out, ["other"], names),
        )


def rename_ids(table: pd.DataFrame, columns: list[str], names: dict[str, str]) -> pd.DataFrame:
    """Replaces the ids in some columns of a table; an id without a new name stays."""
    return table.assign(
        **{column: [names.get(name, name) for name in table[column]] for column in columns}
    )


def find_leaks(
    found: pd.DataFrame, known: list[str], pairs: pd.DataFrame, exact: npt.NDArray[np.bool_]
) -> Leaks:
    """Finds what leaks between images.

    Args:
        found: `id,path,label,split,group,source`, one row per image; groups are joined.
        known: (N,) the group of each image before joining, empty if unknown.
        pairs: `first,second,distance,correlation` of duplicates.
        exact: (P,) whether the two files of each pair are identical.
    """
    size = found.groupby("group")["id"].size()
    is_copy = found["id"].isin(pd.concat([pairs["first"], pairs["second"]]))
    has_copies = is_copy.groupby(found["group"]).any()
    is_known = pd.Series(np.array(known) != "", index=found.index).groupby(found["group"]).any()
    several = size > 1
    origins = {
        "known from patients or metadata": int((several & is_known & ~has_copies).sum()),
        "found by duplicates": int((several & ~is_known & has_copies).sum()),
        "joined from both": int((several & is_known & has_copies).sum()),
        "of a single image": int((~several).sum()),
    }
    return Leaks(
        images=len(found),
        groups=len(size),
        largest=int(size.max()) if len(size) else 0,
        origins=origins,
        pairs=_compare_pairs(found, pairs).assign(exact=exact),
        left_out=training_images_to_leave_out(found, pairs),
    )


def training_images_to_leave_out(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Lists the training images that leak, with the reason.

    Images are copies if they are connected by duplicates, directly or by a chain. Two labels of one
    *patient* are no conflict: the patient may have had two diseases.

    Returns:
        `LEFT_OUT`, in the order of `found`.
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
    return _with_other(out, found, pairs)[LEFT_OUT]


def _with_other(out: pd.DataFrame, found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Adds the image because of which each image is left out: the nearest copy, if it has one."""
    image = found.add_prefix("other_").rename(columns={"other_id": "other"})
    both = pd.concat([pairs, pairs.rename(columns={"first": "second", "second": "first"})])
    both = both.rename(columns={"first": "id", "second": "other"})
    both = both.sort_values(["correlation", "distance", "other"], ascending=[False, True, True])
    direct = out.merge(both, on="id").merge(image, on="other")
    # Copies by a chain are in no pair with each other.
    heads = image.drop_duplicates(["other_copies", "other_label", "other_split"])
    chained = out.merge(heads, left_on="copies", right_on="other_copies")
    tests = image[image["other_split"] == "test"].drop_duplicates("other_group")
    grouped = out.merge(tests, left_on="group", right_on="other_group")
    candidates = pd.concat([direct, chained, grouped], ignore_index=True)
    is_train = candidates["other_split"] == "train"
    conflict = is_train & (candidates["other_label"] != candidates["label"])
    candidates["other_label"] = candidates["other_label"].where(is_train, "")
    # The nullable type keeps whole numbers although images without a pair have none.
    candidates["distance"] = candidates["distance"].astype("Int64")
    candidates = candidates[np.where(candidates["reason"] == CONFLICT, conflict, ~is_train)]
    return candidates.drop_duplicates("id").set_index("id").loc[out["id"]].reset_index()


def _compare_pairs(found: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Adds whether the two images of each pair differ in label, source and split."""
    image = found.set_index("id")
    first, second = image.loc[pairs["first"]], image.loc[pairs["second"]]

    def differ(column: str) -> npt.NDArray[np.bool_]:
        one, other = first[column].to_numpy(), second[column].to_numpy()
        return np.asarray((one != other) & (one != "") & (other != ""), np.bool_)

    is_train = (first["split"].to_numpy() == "train") & (second["split"].to_numpy() == "train")
    return pairs.assign(
        across_labels=differ("label") & is_train,
        across_sources=differ("source"),
        across_splits=differ("split"),
    )
