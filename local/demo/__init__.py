"""A table under live traffic goes through all stages, on this machine, and every write is accounted for.

example   the users stack of `examples/`, deployed at one stage after the other
watch     looks at the state table meanwhile: progress, turns, and how long a table was sealed
journey   the run: what is deployed in which order, and what must be seen on the way
screen    what is shown while it runs
run       what is kept of it
figures   what came of it, counted
report    the tables at its end
page      the same for a browser, with a time line (timeline, chart, canvas)
"""
