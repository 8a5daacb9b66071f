"""The networks of the zoo: backbones of keras.applications, and nets trained from scratch."""

# Importing them fills the registry.
from kagglecxr.models.nets import backbone_unets, backbones, cnns, separable_cnns, unets

__all__ = ["backbone_unets", "backbones", "cnns", "separable_cnns", "unets"]
