"""What a task on a cluster asks for, receives and returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kagglecxr.core.errors import CxrError
from kagglecxr.training.cluster.file_bundle import FileBundle
from kagglecxr.training.search.trial_process import TrialResult

MAX_CORES = 4
"""More cores would stay idle while a small net trains; another fold or trial can use them."""

NodeResources = Mapping[str, float]
"""The resources of a machine as Ray counts them, with the keys "CPU" and "GPU"."""


class ClusterError(CxrError, RuntimeError):
    """The cluster cannot be used, or something failed on one of its machines."""


@dataclass(frozen=True)
class ResourceRequest:
    """What Ray reserves for each training: cores, one thread each, and a GPU if there are any."""

    cores: int
    gpus: int

    def capacity(self, node: NodeResources) -> int:
        """The number of trainings that run at once on a machine."""
        by_cores = int(node.get("CPU", 0)) // self.cores
        return min(by_cores, int(node.get("GPU", 0)) // self.gpus) if self.gpus else by_cores


def request_resources(nodes: Sequence[NodeResources]) -> ResourceRequest:
    """Chooses one GPU and its part of the cores, or up to four cores if there are no GPUs.

    The request fits the smallest machine. If some machines have GPUs, those without are not used:
    a fold on a CPU would still be training long after the others.

    Raises:
        ClusterError: No machine has a core.
    """
    usable = [node for node in nodes if node.get("CPU", 0) >= 1]
    if not usable:
        raise ClusterError(
            f"No machine of the cluster offers a core. Received: {len(nodes)} machines. Start "
            "them without --num-cpus=0."
        )
    with_gpus = [node for node in usable if node.get("GPU", 0) >= 1]
    cores = [int(node["CPU"] // node.get("GPU", 1)) for node in with_gpus or usable]
    return ResourceRequest(max(min(*cores, MAX_CORES), 1), 1 if with_gpus else 0)


@dataclass(frozen=True)
class TaskEnvironment:
    """The version, Keras backend and number of threads with which a task is to run.

    The order of floating-point sums depends on the number of threads.
    """

    version: str
    backend: str
    cores: int


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """What a training needs.

    Attributes:
        workspace: The files of the prepared workspace.
        weights: The files that the training starts from.
        weight_names: The recipe's sources of weights, in order, as names in `weights`.
    """

    workspace: FileBundle
    weights: FileBundle
    weight_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FoldTask(TrainingTask):
    """One fold of a run, as in `kagglecxr.training.run_spec.RunSpec`; the recipe is JSON."""

    recipe: str
    fold_of: tuple[int, ...]
    fold: int
    run: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrialTask(TrainingTask):
    """One trial of a search.

    Attributes:
        spec: A `kagglecxr.training.search.trial_process.TrialSpec` as JSON.
        report: Sends a trial's number, step and score to the study. Returns whether to prune it.
    """

    spec: str
    report: Callable[[int, int, float], bool]


@dataclass(frozen=True)
class TaskResult:
    """What a task returns.

    Attributes:
        machine: The name of the machine that ran it.
        files: The files of the fold's or trial's folder, by relative name.
        trial: How the trial ended, if it was one.
        error: Why the task failed; empty if it did not.
    """

    machine: str
    files: dict[str, bytes] = field(default_factory=dict)
    trial: TrialResult | None = None
    error: str = ""
    notes: tuple[str, ...] = ()
