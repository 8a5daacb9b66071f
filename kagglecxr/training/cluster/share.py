"""What one training asks of a machine, and how many of them a cluster takes at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kagglecxr.core.errors import CxrError

MOST_CORES = 4
"""A step of a small net leaves further cores idle, where another fold or trial would use them."""

Resources = Mapping[str, float]
"""What a machine has, as Ray counts it: "CPU" and "GPU"."""


class ClusterError(CxrError, RuntimeError):
    """A cluster that cannot be used, or what went wrong on its machines."""


@dataclass(frozen=True)
class Share:
    """What one training asks of a machine.

    Attributes:
        cores: its threads, too, so that trainings beside each other do not compete.
        gpus: 1 where the cluster has any, else 0.
    """

    cores: int
    gpus: int

    def places(self, machine: Resources) -> int:
        """How many trainings a machine takes at once."""
        by_cores = int(machine.get("CPU", 0)) // self.cores
        return min(by_cores, int(machine.get("GPU", 0)) // self.gpus) if self.gpus else by_cores


def share_of(machines: Sequence[Resources]) -> Share:
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
    return Share(max(min(*cores, MOST_CORES), 1), 1 if with_gpus else 0)
