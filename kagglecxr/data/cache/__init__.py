"""Every image decoded once, in memory maps that all later steps read."""
