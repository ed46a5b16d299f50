"""One file per command: reads, asks and shows; what there is to know comes from the pure modules beside it."""
