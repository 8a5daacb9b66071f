"""Keras sequences of batches, and the augmentation applied to them."""
