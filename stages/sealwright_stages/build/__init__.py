"""The build stage's hands: build roots, recipes, the runner, and the collector of products."""
