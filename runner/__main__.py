"""`python -m runner` is `c1-runner`."""

from runner.cli import main

if __name__ == "__main__":
    main()
