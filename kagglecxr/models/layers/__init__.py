"""Keras layers for raw pixels and feature maps; importing this package registers all of them."""

from kagglecxr.models.layers.affine import AffineView as AffineView
from kagglecxr.models.layers.augmentation_layers import RandomGamma as RandomGamma
from kagglecxr.models.layers.augmentation_layers import RandomHorizontalFlip as RandomHorizontalFlip
from kagglecxr.models.layers.augmentation_layers import RandomNoise as RandomNoise
from kagglecxr.models.layers.augmentation_layers import WhileTraining as WhileTraining
from kagglecxr.models.layers.augmentation_layers import augmentation_layers as augmentation_layers
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges as EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization as ContrastLimitedEqualization
from kagglecxr.models.layers.distances import MahalanobisDistance as MahalanobisDistance
from kagglecxr.models.layers.equalisation import HistogramEqualization as HistogramEqualization
from kagglecxr.models.layers.outputs import HorizontalFlip as HorizontalFlip
from kagglecxr.models.layers.outputs import LabeledOutput as LabeledOutput
from kagglecxr.models.layers.pixel_operations import ApplyMask as ApplyMask
from kagglecxr.models.layers.pixel_operations import Gamma as Gamma
from kagglecxr.models.layers.pixel_operations import GrayToRGB as GrayToRGB
from kagglecxr.models.layers.pixel_operations import ImageNormalization as ImageNormalization
from kagglecxr.models.layers.pixel_operations import RGBToGray as RGBToGray
from kagglecxr.models.layers.pixel_operations import RoundPixels as RoundPixels
from kagglecxr.models.layers.pooling import GeneralizedMeanPooling2D as GeneralizedMeanPooling2D
from kagglecxr.models.layers.resizing import ResizeLike as ResizeLike
from kagglecxr.models.layers.resizing import SquareResizing as SquareResizing
