"""Chest radiographs drawn from a seed, for the built-in competition.

Classes differ in the kind and location of an opacity; the lung masks are exact.
"""

from kagglecxr.data.phantoms.demo_data import IMAGES, make_demo
from kagglecxr.data.phantoms.finding_data import make_finding_demo
from kagglecxr.data.phantoms.phantom import Phantom, draw_phantom

__all__ = ["IMAGES", "Phantom", "draw_phantom", "make_demo", "make_finding_demo"]
