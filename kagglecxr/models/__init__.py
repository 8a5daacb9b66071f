"""The model zoo: every architecture by name, built flat so that any layer can be explained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kagglecxr.models.zoo import create_model, list_models

__all__ = ["create_model", "list_models"]


def __getattr__(name: str) -> Any:
    """Imports Keras only when the zoo is used."""
    if name in __all__:
        from kagglecxr.models import zoo

        return getattr(zoo, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
