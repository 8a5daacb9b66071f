"""Data from Kaggle: fetched in parts, checked, and put in their place whole."""
