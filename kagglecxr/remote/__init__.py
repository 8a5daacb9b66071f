"""The leaderboards: Kaggle's, and the rehearsal one on this machine."""
