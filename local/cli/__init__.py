"""The command `encrypt-migrate`: plan before, see during, finish after.

    tree, dump, rewrite        a template's text: where everything stands, and how to change only what must change
    template, stages           a template on disk, and what the macro makes of it at each stage
    changes, cutover, in_place what a stage changes, whose writes are refused at the cutover, whether none of it is
    needed capacity, bottlenecks      how long a copy takes, what it costs, what breaks first cloud, pairs
    what AWS knows of a migration under way commands/                  one file per command; they only read, show
    and ask

Everything but `cloud` and `commands` is pure.
"""
