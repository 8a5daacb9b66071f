"""Samplers: which image stands where in an epoch."""
