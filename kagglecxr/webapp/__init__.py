"""The web page: X-rays in, probabilities with their evidence out; errors, comparison, audit."""
