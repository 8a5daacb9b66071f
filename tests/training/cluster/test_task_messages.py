"""A training asks for what the smallest machine that is worth it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.training.cluster.task_messages import (
    ClusterError,
    NodeResources,
    ResourceRequest,
    request_resources,
)


@pytest.mark.parametrize(
    ("machines", "share", "places"),
    [
        ([{"CPU": 2}], ResourceRequest(2, 0), 1),
        ([{"CPU": 1}, {"CPU": 1}], ResourceRequest(1, 0), 2),
        ([{"CPU": 64}], ResourceRequest(4, 0), 16),
        ([{"CPU": 2}, {"CPU": 8}], ResourceRequest(2, 0), 5),
        # Kaggle's two T4 have four cores: a fold a GPU, two at once.
        ([{"CPU": 4, "GPU": 2}], ResourceRequest(2, 1), 2),
        ([{"CPU": 2, "GPU": 4}], ResourceRequest(1, 1), 2),
        ([{"CPU": 32, "GPU": 1}, {"CPU": 64}], ResourceRequest(4, 1), 1),
        ([{"CPU": 4}, {"memory": 1.0}], ResourceRequest(4, 0), 1),
    ],
)
def test_a_share_of_a_cluster(
    machines: list[NodeResources], share: ResourceRequest, places: int
) -> None:
    assert request_resources(machines) == share
    assert sum(share.places(machine) for machine in machines) == places


MACHINE = st.fixed_dictionaries(
    {"CPU": st.integers(0, 99).map(float)}, optional={"GPU": st.integers(1, 8).map(float)}
)


@given(st.lists(MACHINE, min_size=1, max_size=5))
def test_every_cluster_with_a_core_takes_a_training(machines: list[NodeResources]) -> None:
    if any(machine["CPU"] >= 1 for machine in machines):
        share = request_resources(machines)
        assert sum(share.places(machine) for machine in machines) >= 1
        assert 1 <= share.cores <= 4
    else:
        with pytest.raises(ClusterError, match="--num-cpus"):
            request_resources(machines)
