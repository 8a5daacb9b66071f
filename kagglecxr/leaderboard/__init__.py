"""Submissions, their ledger, Kaggle's leaderboard and the rehearsal leaderboard."""
