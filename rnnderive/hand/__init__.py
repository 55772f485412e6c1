"""What a person derived by hand: read it, run it, say whether it is right, and if not, where and why."""
