"""``python -m band``: the same as the command ``band``."""

from band.cli.main import main

if __name__ == "__main__":
    main()
