"""Keras layers for raw pixels and for feature maps, to build models of one's own with."""

from kagglecxr.models.layers.augmentation_layers import augmentation_layers
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.pixel_operations import ApplyMask
from kagglecxr.models.layers.pooling import GeneralizedMeanPooling2D

__all__ = [
    "ApplyMask",
    "EqualisedBrightenedEdges",
    "GeneralizedMeanPooling2D",
    "HistogramEqualization",
    "augmentation_layers",
]
