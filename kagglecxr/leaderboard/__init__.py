"""Submissions to Kaggle: what is sent, how many are left, and what they score."""
