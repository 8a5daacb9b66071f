"""What is brought to Kaggle's machines as datasets: wheels of the kit, and trained runs."""
