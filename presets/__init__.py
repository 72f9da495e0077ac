"""Presets: named edits with their parameters. None are shipped yet; `preset` keys are refused."""
