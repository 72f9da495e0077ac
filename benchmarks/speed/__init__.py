"""How fast the engine and the server are, against what a user could pick instead."""
