"""The one door to Ray: connects to a cluster, sends files, begins tasks and waits for them.

Ray is imported only once it is asked for, so that the kit does without it.
"""

import atexit
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.models.runtime import setup_keras
from kagglecxr.training.cluster.file_bundle import FileBundle, pack
from kagglecxr.training.cluster.task_messages import (
    ClusterError,
    NodeResources,
    ResourceRequest,
    TaskEnvironment,
    TaskResult,
    request_resources,
)
from kagglecxr.version import __version__

LOCAL, AUTO = "local", "auto"
MAX_RETRIES = 3
"""How often a task is begun again whose machine or process has died."""
_POLL_SECONDS = 2.0


class RayTask:
    """What is being done on some machine of the cluster.

    Args:
        reference: what Ray knows its result by.
    """

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def has_ended(self) -> bool:
        """Whether there is a result, good or bad."""
        import ray

        return bool(ray.wait([self.reference], timeout=0)[0])

    def result(self) -> TaskResult:
        """What it gave; waits for it.

        Raises:
            ClusterError: its process or machine died too often, or it could not be begun.
        """
        import ray

        try:
            done: TaskResult = ray.get(self.reference)
        except ray.exceptions.RayError as error:
            raise ClusterError(_task_error(error)) from error
        return done

    def stop(self) -> None:
        """Ends it at once."""
        import ray

        ray.cancel(self.reference, force=True)


class RayCluster:
    """The machines of a cluster.

    Attributes:
        share: what one training asks of them.
    """

    def __init__(self) -> None:
        self.share: ResourceRequest = request_resources(_alive_nodes())

    @property
    def places(self) -> int:
        """How many trainings they take at once, now."""
        return sum(self.share.places(machine) for machine in _alive_nodes())

    def send(self, files: Mapping[str, Path]) -> FileBundle:
        """Puts files into the object store, from which each machine takes them once."""
        import ray

        return pack(files, ray.put)

    def begin(self, work: Callable[[TaskEnvironment, Any], TaskResult], task: Any) -> RayTask:
        """Has work done on whichever machine is free.

        Args:
            work: a function of a module that every machine has.
            task: what it is told.
        """
        import ray

        remote = ray.remote(
            num_cpus=self.share.cores,
            num_gpus=self.share.gpus,
            max_retries=MAX_RETRIES,
            # A process a task: TensorFlow's memory grows with every model.
            max_calls=1,
            # Ray would rather fill one machine before it begins at the next.
            scheduling_strategy="SPREAD",
        )(_run_once)
        setting = TaskEnvironment(__version__, setup_keras(), self.share.cores)
        return RayTask(remote.remote(work, setting, task))

    def here(self, kind: Callable[..., Any], *told: Any) -> Any:
        """An object of this class in a process of its own on this very machine."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        strategy = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        return ray.remote(num_cpus=0, scheduling_strategy=strategy)(kind).remote(*told)

    def as_they_end(self, tasks: Iterable[RayTask]) -> Iterator[RayTask]:
        """Tasks one by one, the first that ends first.

        Raises:
            ClusterError: no machine is left that could go on with them.
        """
        import ray

        waiting = {task.reference: task for task in tasks}
        while waiting:
            ended, _ = ray.wait(list(waiting), timeout=_POLL_SECONDS)
            for reference in ended:
                yield waiting.pop(reference)
            if not ended and not self.places:
                raise ClusterError(
                    f"No machine is left that could train. Received: {len(waiting)} trainings "
                    "that wait. Bring the machines back and run the same command again."
                )


@contextlib.contextmanager
def connect(address: str) -> Iterator[RayCluster]:
    """A cluster's machines, let go at the end; what still runs on them then is ended.

    Args:
        address: "auto" for the cluster this machine belongs to, host:port of its head, or "local"
            for this machine alone.

    Raises:
        MissingError: Ray is not installed.
        SettingError: an address of another kind.
        ClusterError: there is no cluster that could be used.
    """
    if address not in (LOCAL, AUTO):
        _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else every start tells of a change to come in what a task without GPUs sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingError(
            f"Ray is not installed. Received: --cluster {address}. Run: pip install "
            "'kagglecxr[ray]'"
        ) from error
    options = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="critical", **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(address, error) from error
    # Ray tells on standard output of machines that die, and that is the verb's.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            yield RayCluster()
        finally:
            ray.shutdown()


def _check_reachable(address: str) -> None:
    """Looks whether anybody is there, since Ray itself waits for minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or "/" in host:
        raise SettingError(
            f"A cluster is named by the address of its head. Received: --cluster {address}. Run "
            "this on a machine of the cluster, with --cluster auto or --cluster HOST:PORT."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"The cluster cannot be reached. Received: --cluster {address} "
        f"({' '.join(str(error).split())[:200]}). Start it with ray start, as docs/clusters.md "
        "says, or use --cluster local."
    )


def fetch(reference: Any) -> Any:
    """On a machine of the cluster: what a reference stands for."""
    import ray

    return ray.get(reference)


def _run_once(
    work: Callable[[TaskEnvironment, Any], TaskResult], setting: TaskEnvironment, task: Any
) -> TaskResult:
    """What a process of the cluster does, once in its life."""
    # Else TensorFlow's threads, which outlive the task, abort the process as it ends, and Ray tells
    # the user of a crash.
    atexit.register(os._exit, 0)
    return work(setting, task)


def _alive_nodes() -> list[NodeResources]:
    import ray

    return [node["NodeResources"] for node in ray.nodes() if node["Alive"]]


def _task_error(error: Exception) -> str:
    told = " ".join(str(error).split())
    if "No module named 'kagglecxr" in told:
        return (
            "A machine of the cluster has no kagglecxr, or another version. Received: a task it "
            f"cannot begin. Run there: pip install 'kagglecxr[ray]=={__version__}'"
        )
    return (
        f"Its process or machine died. Received: {type(error).__name__} ({told[:200]}). Run the "
        "same command again; if it dies again, give it more memory or a smaller batch_size."
    )
