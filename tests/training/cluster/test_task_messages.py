"""A training asks for what the smallest usable machine has."""

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
    ("nodes", "request_", "capacity"),
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
def test_the_request_of_a_cluster(
    nodes: list[NodeResources], request_: ResourceRequest, capacity: int
) -> None:
    assert request_resources(nodes) == request_
    assert sum(request_.capacity(node) for node in nodes) == capacity


NODE = st.fixed_dictionaries(
    {"CPU": st.integers(0, 99).map(float)}, optional={"GPU": st.integers(1, 8).map(float)}
)


@given(st.lists(NODE, min_size=1, max_size=5))
def test_every_cluster_with_a_core_can_train(nodes: list[NodeResources]) -> None:
    if any(node["CPU"] >= 1 for node in nodes):
        request = request_resources(nodes)
        assert sum(request.capacity(node) for node in nodes) >= 1
        assert 1 <= request.cores <= 4
    else:
        with pytest.raises(ClusterError, match="--num-cpus"):
            request_resources(nodes)
