"""Where other people's programs run: fetchers with a network, builders without."""
