"""From the cache to batches: their order, their changes, and how Keras takes them."""
