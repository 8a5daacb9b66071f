"""Data from Kaggle: downloaded, checked, and moved into place once complete."""
