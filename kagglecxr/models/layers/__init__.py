"""Keras layers for raw pixels and feature maps; importing this package registers all of them."""

from kagglecxr.models.layers.augmentation_layers import (
    RandomGamma,
    RandomHorizontalFlip,
    RandomNoise,
    WhileTraining,
    augmentation_layers,
)
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.outputs import HorizontalFlip, LabeledOutput
from kagglecxr.models.layers.pixel_operations import (
    ApplyMask,
    Gamma,
    GrayToRGB,
    ImageNormalization,
    RGBToGray,
    RoundPixels,
)
from kagglecxr.models.layers.pooling import GeneralizedMeanPooling2D
from kagglecxr.models.layers.resizing import SquareResizing

__all__ = [
    "ApplyMask",
    "ContrastLimitedEqualization",
    "EqualisedBrightenedEdges",
    "Gamma",
    "GeneralizedMeanPooling2D",
    "GrayToRGB",
    "HistogramEqualization",
    "HorizontalFlip",
    "ImageNormalization",
    "LabeledOutput",
    "RGBToGray",
    "RandomGamma",
    "RandomHorizontalFlip",
    "RandomNoise",
    "RoundPixels",
    "SquareResizing",
    "WhileTraining",
    "augmentation_layers",
]
