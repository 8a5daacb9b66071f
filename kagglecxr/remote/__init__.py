"""Access to Kaggle: its client, credentials, downloads, datasets and kernels."""
