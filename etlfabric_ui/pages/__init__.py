"""One module per route; each is a function of its state's vars."""
