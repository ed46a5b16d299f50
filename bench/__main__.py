"""Every figure: `python -m bench`. Each file of this folder can also be run alone, with options."""

import sys

from bench import copy_loop, macro_expand, mirror_calls


def main() -> None:
    sys.argv[1:] = []  # each part parses its own options; here they all keep their defaults
    for part in (mirror_calls, copy_loop, macro_expand):
        part.main()


if __name__ == "__main__":
    main()
