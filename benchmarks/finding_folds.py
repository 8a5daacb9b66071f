"""How even folds are in each finding: ours against scikit-learn's folds of groups.

Usage: python -m benchmarks.finding_folds [TABLES]
"""

import sys
import warnings

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from kagglecxr.data.stratification import stratify_groups

FOLDS = 5
Table = npt.NDArray[np.int64]
Folds = npt.NDArray[np.intp]


def drawn_table(random: np.random.Generator) -> tuple[Table, Folds]:
    """Rare and frequent findings that a patient's images have in common, and the patients."""
    images, findings = int(random.integers(100, 1500)), int(random.integers(3, 15))
    patients = int(random.integers(40, images))
    group = random.integers(0, patients, images)
    rate = random.beta(0.6, 6, findings)
    of_patient = random.normal(size=(patients, findings))[group]
    chance = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + of_patient)))
    return (random.random((images, findings)) < chance).astype(np.int64), group


def of_splitter(splits: object) -> Folds:
    """The fold of each image, of a splitter's parts."""
    parts = [held_out for _, held_out in splits]  # type: ignore[attr-defined]
    fold = np.empty(sum(map(len, parts)), np.intp)
    for number, held_out in enumerate(parts):
        fold[held_out] = number
    return fold


def worst_difference(table: Table, fold: Folds) -> float:
    """Of all findings with five images, the largest difference of a share between two folds."""
    total = table.sum(axis=0)
    counts = np.array([table[fold == number].sum(axis=0) for number in range(FOLDS)])
    shares = counts[:, total >= FOLDS] / total[total >= FOLDS]
    return float(np.ptp(shares, axis=0).max(initial=0.0))


def main(tables: int = 300) -> None:
    """Prints the mean and the largest worst difference of each kind of folds."""
    random = np.random.default_rng(0)
    found: dict[str, list[float]] = {"ours": [], "GroupKFold": [], "StratifiedGroupKFold": []}
    for number in range(tables):
        table, group = drawn_table(random)
        columns = np.column_stack([table, table.sum(axis=1) == 0])
        names = [str(one) for one in group]
        folds = {
            "ours": stratify_groups(
                columns, names, [1 / FOLDS] * FOLDS, np.random.default_rng(number)
            )
        }
        _, kinds = np.unique(table, axis=0, return_inverse=True)
        with warnings.catch_warnings():
            # Most sets of findings have fewer images than there are folds.
            warnings.simplefilter("ignore")
            shuffled = GroupKFold(FOLDS, shuffle=True, random_state=number)
            folds["GroupKFold"] = of_splitter(shuffled.split(table, None, group))
            folds["StratifiedGroupKFold"] = of_splitter(
                StratifiedGroupKFold(FOLDS).split(table, kinds, group)
            )
        for name, fold in folds.items():
            found[name].append(worst_difference(table, fold))
    print(f"Worst difference of a finding's share between {FOLDS} folds, {tables} tables:")
    for name, values in found.items():
        print(f"{name:<22} mean {np.mean(values):.3f}, largest {max(values):.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
