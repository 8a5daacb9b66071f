"""Connects to a Ray cluster, sends files to it, submits tasks and waits for them.

The only module that imports Ray, and only in the functions that need it, since it is optional.
"""

import atexit
import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.models.runtime import setup_keras
from kagglecxr.training.cluster.file_bundle import FileBundle, GetChunk, pack
from kagglecxr.training.cluster.task_messages import (
    ClusterError,
    NodeResources,
    TaskEnvironment,
    TaskResult,
    request_resources,
)
from kagglecxr.version import __version__

MAX_RETRIES = 3
"""How often Ray restarts a task whose machine or process died."""
_POLL_SECONDS = 2.0

_Task = TypeVar("_Task")
TaskFunction = Callable[[TaskEnvironment, _Task, GetChunk], TaskResult]
"""What runs on a machine of the cluster, with the task and access to the object store."""
RemoteCall = Callable[..., Any]


@dataclass(frozen=True)
class RayTask:
    """A task that was submitted to the cluster; its methods are those of a future."""

    ray: Any
    reference: Any

    def done(self) -> bool:
        """Returns whether the task has ended, with a result or an error."""
        return bool(self.ray.wait([self.reference], timeout=0)[0])

    def result(self) -> TaskResult:
        """Waits for the result.

        Raises:
            ClusterError: The task could not be started, or its process died too often.
        """
        try:
            result: TaskResult = self.ray.get(self.reference)
        except self.ray.exceptions.RayError as error:
            raise ClusterError(_task_error(error)) from error
        return result

    def cancel(self) -> None:
        """Kills the task."""
        self.ray.cancel(self.reference, force=True)


class RayCluster:
    """The machines of the cluster that Ray, the module, is connected to."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self.resources = request_resources(self._alive_nodes())
        self._bundles: dict[tuple[tuple[str, Path], ...], FileBundle] = {}

    @property
    def capacity(self) -> int:
        """The number of trainings that the machines that are alive run at once."""
        return sum(self.resources.capacity(node) for node in self._alive_nodes())

    def put(self, files: Mapping[str, Path]) -> FileBundle:
        """Puts files into the object store, once, from which each machine fetches them once."""
        key = tuple(sorted(files.items()))
        if key not in self._bundles:
            self._bundles[key] = pack(files, self.ray.put)
        return self._bundles[key]

    def submit(self, function: TaskFunction[_Task], task: _Task) -> RayTask:
        """Runs a function of the package on whichever machine is free."""
        remote = self.ray.remote(
            num_cpus=self.resources.cores,
            num_gpus=self.resources.gpus,
            max_retries=MAX_RETRIES,
            # One process per task: TensorFlow's memory grows with every model.
            max_calls=1,
            # Ray's default fills one machine before it uses the next.
            scheduling_strategy="SPREAD",
        )(_run_once)
        environment = TaskEnvironment(__version__, setup_keras(), self.resources.cores)
        return RayTask(self.ray, remote.remote(function, environment, task))

    def start_actor(self, kind: Callable[..., object], *args: object) -> RemoteCall:
        """Creates an object in a process of its own on the machine of this process.

        Returns:
            A function of a method's name and arguments, which any machine can call.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = self.ray.get_runtime_context().get_node_id()
        strategy = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        handle = self.ray.remote(num_cpus=0, scheduling_strategy=strategy)(kind).remote(*args)
        return functools.partial(_call_method, handle)

    def as_completed(self, tasks: Iterable[RayTask]) -> Iterator[RayTask]:
        """Yields tasks as they end.

        Raises:
            ClusterError: No machine is left that could run those that remain.
        """
        waiting = {task.reference: task for task in tasks}
        while waiting:
            ended, _ = self.ray.wait(list(waiting), timeout=_POLL_SECONDS)
            for reference in ended:
                yield waiting.pop(reference)
            if not ended and not self.capacity:
                raise ClusterError(
                    f"No machine is left that could train. Received: {len(waiting)} trainings "
                    "that wait. Bring the machines back and run the same command again."
                )

    def _alive_nodes(self) -> list[NodeResources]:
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]


@contextlib.contextmanager
def connect(address: str) -> Iterator[RayCluster]:
    """Connects to a cluster, given as auto, HOST:PORT or local; kills its tasks at the end.

    Raises:
        MissingError: Ray is not installed.
        SettingError: The address has another form.
        ClusterError: There is no cluster at the address, or none that could train.
    """
    if address not in ("local", "auto"):
        _check_reachable(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Silences Ray's notice of a coming change in which GPUs a task without GPUs sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingError(
            f"Ray is not installed. Received: --cluster {address}. Run: pip install "
            "'kagglecxr[ray]'"
        ) from error
    options = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="critical", **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreachable(address, error) from error
    try:
        yield RayCluster(ray)
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Tries the port of the head, since Ray itself would wait for minutes."""
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


def _call_method(handle: Any, method: str, *args: object) -> Any:
    import ray

    return ray.get(getattr(handle, method).remote(*args))


def _run_once(
    function: TaskFunction[_Task], environment: TaskEnvironment, task: _Task
) -> TaskResult:
    import ray

    # TensorFlow's threads outlive the task and would abort the process, which Ray reports as a
    # crash.
    atexit.register(os._exit, 0)
    return function(environment, task, ray.get)


def _task_error(error: Exception) -> str:
    message = " ".join(str(error).split())
    if "No module named 'kagglecxr" in message:
        return (
            "A machine of the cluster has no kagglecxr, or another version. Received: a task that "
            f"it cannot start. Run there: pip install 'kagglecxr[ray]=={__version__}'"
        )
    return (
        f"Its process or machine died. Received: {type(error).__name__} ({message[:200]}). Run "
        "the same command again; if it dies again, give it more memory or a smaller batch_size."
    )
