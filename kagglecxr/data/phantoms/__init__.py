"""Chest radiographs drawn from a seed: the built-in competition.

The class is the kind and the place of an opacity; lung masks are known exactly.
"""

from kagglecxr.data.phantoms.demo_data import IMAGES, make_demo
from kagglecxr.data.phantoms.phantom import Phantom, draw_phantom

__all__ = ["IMAGES", "Phantom", "draw_phantom", "make_demo"]
