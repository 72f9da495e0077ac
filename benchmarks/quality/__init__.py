"""How good a checkpoint is, on recordings it has not seen, by a judge it doesn't know."""
