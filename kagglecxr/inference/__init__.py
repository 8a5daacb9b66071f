"""From trained models to a submission: views, predictions, blends."""
