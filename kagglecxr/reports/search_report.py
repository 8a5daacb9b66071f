"""Table and figures of a hyperparameter search."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kagglecxr.core.files import write_table
from kagglecxr.reports.run_figures import TRAIN, VALIDATION, save_figure

TRIALS, HISTORY, IMPORTANCES = "trials.csv", "history.png", "importances.png"


def report_search(
    folder: Path,
    trials: pd.DataFrame,
    importances: Mapping[str, float],
    metric: str,
    greater_is_better: bool,
) -> list[Path]:
    """Writes the table of trials, their history and, if known, parameter importances.

    Trials have columns trial, state, score and others. Returns the files.
    """
    write_table(folder / TRIALS, trials)
    save_figure(plot_history(trials, metric, greater_is_better), folder / HISTORY)
    if not importances:
        (folder / IMPORTANCES).unlink(missing_ok=True)
        return [folder / TRIALS, folder / HISTORY]
    save_figure(plot_importances(importances, metric), folder / IMPORTANCES)
    return [folder / TRIALS, folder / HISTORY, folder / IMPORTANCES]


def plot_history(trials: pd.DataFrame, metric: str, greater_is_better: bool) -> Figure:
    """Plots each trial's score (of a pruned one, that of its last epoch) and the best so far."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    finished = trials[trials["state"] == "finished"]
    pruned = trials[trials["state"] == "pruned"]
    axes.scatter(finished["trial"], finished["score"], color=TRAIN, label="finished")
    if len(pruned):
        axes.scatter(pruned["trial"], pruned["score"], color="grey", marker="x", label="given up")
    scores = finished["score"].astype(float)
    best = scores.cummax() if greater_is_better else scores.cummin()
    axes.step(finished["trial"], best, where="post", color=VALIDATION, lw=2, label="best so far")
    axes.set(xlabel="trial", ylabel=metric, title="Trials of the search")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_importances(importances: Mapping[str, float], metric: str) -> Figure:
    """Plots a bar per parameter, the most important on top."""
    names = sorted(importances, key=lambda name: importances[name], reverse=True)
    figure = Figure(figsize=(7, 1.2 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [importances[name] for name in names], color=TRAIN)
    axes.bar_label(bars, [f"{importances[name]:.0%}" for name in names], padding=4)
    axes.set(xlabel=f"share of the variance of {metric}", title="What mattered", xlim=(0, 1.12))
    axes.invert_yaxis()
    return figure
