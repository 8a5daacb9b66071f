"""Predictions of finished runs: members, views, the predictor, and export."""
