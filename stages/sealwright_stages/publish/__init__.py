"""Publishing: sealed and signed evidence, laid out as a static site that can lie in a git repository too."""
