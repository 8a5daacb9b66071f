"""What tests of trainings share."""

from collections.abc import Iterator

import pytest

from tests.training.eager_models import eagerly


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """All models of a file run operation by operation."""
    with eagerly():
        yield
