"""The fake Kaggle of tests/remote serves the leaderboard's tests too."""

from tests.remote.conftest import fake_kaggle, own_client, strayed

__all__ = ["fake_kaggle", "own_client", "strayed"]
