"""The stages of a fold: what learns at which rate, when it ends, and how it is taken up."""
