"""What a task on a cluster asks for, receives and returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kagglecxr.core.errors import CxrError
from kagglecxr.training.cluster.file_bundle import FileBundle

MAX_CORES = 4
"""A step of a small net leaves further cores idle, where another fold or trial would use them."""

NodeResources = Mapping[str, float]
"""What a machine has, as Ray counts it: "CPU" and "GPU"."""


class ClusterError(CxrError, RuntimeError):
    """A cluster that cannot be used, or what went wrong on its machines."""


@dataclass(frozen=True)
class ResourceRequest:
    """What one training asks of a machine.

    Attributes:
        cores: its threads, too, so that trainings beside each other do not compete.
        gpus: 1 where the cluster has any, else 0.
    """

    cores: int
    gpus: int

    def places(self, machine: NodeResources) -> int:
        """How many trainings a machine takes at once."""
        by_cores = int(machine.get("CPU", 0)) // self.cores
        return min(by_cores, int(machine.get("GPU", 0)) // self.gpus) if self.gpus else by_cores


def request_resources(machines: Sequence[NodeResources]) -> ResourceRequest:
    """A GPU and its part of the cores where there are GPUs, else up to four cores.

    It fits the smallest machine. Beside GPUs, machines without one are left out: a fold on one
    would be waited for when all others are done.

    Raises:
        ClusterError: no machine offers a core.
    """
    usable = [machine for machine in machines if machine.get("CPU", 0) >= 1]
    if not usable:
        raise ClusterError(
            f"No machine of the cluster offers a core. Received: {len(machines)} machines. Start "
            "them without --num-cpus=0."
        )
    with_gpus = [machine for machine in usable if machine.get("GPU", 0) >= 1]
    cores = [int(machine["CPU"] // machine.get("GPU", 1)) for machine in with_gpus or usable]
    return ResourceRequest(max(min(*cores, MAX_CORES), 1), 1 if with_gpus else 0)


@dataclass(frozen=True)
class TaskEnvironment:
    """How each task is done, so that it gives what it would have given where it comes from.

    Attributes:
        version: the kit's.
        backend: Keras'.
        cores: for its threads; the order of floating-point sums depends on their number.
    """

    version: str
    backend: str
    cores: int


@dataclass(frozen=True)
class TaskResult:
    """What comes back.

    Attributes:
        machine: the name of the machine that did it.
        files: of its folder.
        answer: of a trial, how it ended.
        error: a sentence; empty unless it failed.
        notes: what the user should read besides.
    """

    machine: str
    files: dict[str, bytes] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoldTask:
    """One fold of a run.

    Attributes:
        workspace: its files.
        weights: the files it starts from.
        starts: their names, in the order they are loaded.
        recipe: how to train.
        fold_of: the fold of each training image.
        fold: which is held out.
        run: the run's name.
        seed: of the whole run.
    """

    workspace: FileBundle
    weights: FileBundle
    starts: tuple[str, ...]
    recipe: dict[str, Any]
    fold_of: tuple[int, ...]
    fold: int
    run: str
    seed: int


@dataclass(frozen=True)
class TrialTask:
    """One trial of a search.

    Attributes:
        workspace: its files.
        weights: the files its recipe may start from.
        job: as a line; see `kagglecxr.training.search.trial_process.TrialSpec`.
        starts: the recipe's sources of weights, as names in `weights`.
        desk: where scores are reported; see `kagglecxr.training.cluster.cluster_trials.StudyActor`.
    """

    workspace: FileBundle
    weights: FileBundle
    job: str
    starts: tuple[str, ...]
    desk: Any
