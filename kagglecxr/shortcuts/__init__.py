"""The audit of a run: does it read the lungs, or what else is in the picture?"""
