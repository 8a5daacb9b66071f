"""Exploratory data analysis: tables, charts, image grids and the page of `explore`."""
