"""``python -m rnnderive``: the command line."""

from rnnderive.cli import main

if __name__ == "__main__":
    main()
